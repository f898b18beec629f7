"""Batches, items, attempts, pace, retries, prices and estimates."""
