"""Static auditor of e-commerce order flows; the code lives in `scanner/`, `rules/` and `reporters/`."""

__version__ = "0.1.0"
