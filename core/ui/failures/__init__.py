"""Failed Generations."""
