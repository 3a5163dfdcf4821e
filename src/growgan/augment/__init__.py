"""Layer 1: what is done to pictures on their way to D."""
