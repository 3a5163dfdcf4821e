"""Layer 5: a model, a run or a set measured against a set of pictures; here metrics, models and data meet."""
