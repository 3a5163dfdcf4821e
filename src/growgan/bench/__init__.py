"""Layer 5: what this machine does, and how close to its own limits the work comes."""
