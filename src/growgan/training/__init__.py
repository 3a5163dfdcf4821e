"""Layer 4: training. Read `step` first: it is the whole method on one screen."""
