"""Layer 6: models for others: shipped files, exports, model cards, the hub."""
