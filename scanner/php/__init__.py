"""Lowering of PHP to the vocabulary of `facts`: strings, doc comments, expressions, statements, declarations (`lowerer.PhpLowerer`)."""
