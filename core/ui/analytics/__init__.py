"""Failure Analytics."""
