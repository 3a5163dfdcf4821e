"""Layer 6: sharing models: shipped files, exports, model cards, the hub."""
