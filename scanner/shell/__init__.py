"""Shell lowering: words and expressions, statements; the extractor is scanner/extractors/code/shell.py."""
