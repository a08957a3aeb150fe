"""Facts that stand in lowered code: each module turns a FileFacts of its LANGUAGES into more facts, after lowering, in the worker."""
