"""Layer 0: pure code that needs only the standard library."""
