"""Lowering of JavaScript and TypeScript, with JSX, to the vocabulary of `facts`; `lowerer.EcmaLowerer` is the whole of it."""
