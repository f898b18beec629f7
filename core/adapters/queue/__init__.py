"""The queue: RQ and Redis."""
