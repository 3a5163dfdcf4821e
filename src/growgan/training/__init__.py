"""Layer 4: training. Read `step` first: it is the whole of the method on one screen."""
