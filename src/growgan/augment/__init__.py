"""Layer 1: mirroring and augmentation of the pictures that D sees."""
