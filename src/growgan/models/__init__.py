"""Layer 2: models as files."""
