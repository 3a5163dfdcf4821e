"""Layer 4: what lies in a model's latent space, and pictures that are moved in it."""
