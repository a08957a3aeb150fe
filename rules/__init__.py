"""What we know: one failure mode per module, plus the catalogue and the patterns as data."""
