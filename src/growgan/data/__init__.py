"""From pictures on disk to batches in memory: sources, finished sets, their pyramid, and the endless sampler."""
