"""The flow map as shapes with coordinates: folding, layout, words. Plain data in, plain data out; reporters print it."""
