"""Conversations on their way to a data set."""
