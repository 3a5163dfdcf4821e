"""Layer 1: generator and discriminator, which mirror each other and know nothing of the schedule."""
