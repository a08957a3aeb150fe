"""JavaScript and TypeScript source as Bodies."""
