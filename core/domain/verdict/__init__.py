"""The verdict: may a reply become training data? And the formats of foreign files."""
