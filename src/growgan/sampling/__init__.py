"""Layer 3: from seeds to pictures."""
