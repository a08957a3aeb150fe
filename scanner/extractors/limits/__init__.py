"""How long web servers, proxies and application servers wait: one format a file (see harvest/limit_words for the words)."""
