"""Layer 5: this machine's performance, and how close the work comes to its limits."""
