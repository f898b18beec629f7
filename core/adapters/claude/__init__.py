"""Claude: translation pure, network thin."""
