"""How Python is lowered: literals, expressions, match patterns. The extractor is scanner/extractors/code/python.py."""
