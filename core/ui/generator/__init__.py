"""The Bulk Generator."""
