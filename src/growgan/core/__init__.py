"""Layer 0: the pure part, on the standard library alone."""
