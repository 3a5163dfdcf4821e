"""Layer 4: directions in a model's latent space, and pictures moved along them."""
