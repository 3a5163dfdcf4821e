"""Layer 1: generator and discriminator, which mirror each other and are independent of the schedule."""
