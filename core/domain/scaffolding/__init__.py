"""Personas, arcs, topics, templates, and the prompts made of them."""
