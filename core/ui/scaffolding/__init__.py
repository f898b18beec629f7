"""The Scaffolding page."""
