"""The Batch Monitor."""
