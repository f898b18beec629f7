"""What several tests need: databases, schemas, people."""
