"""Guards as structured values: for one integration call, is there a timeout (retry, key, log, ...) and where was it looked for? One trait a module."""
