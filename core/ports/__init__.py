"""What the services need from the outside world, by subject. Adapters implement these; tests script them (`tests/fakes`).

Every method may also raise DatabaseUnavailable, QueueUnavailable or DatabaseRejected (see core.errors). What ports name is
imported for the type checker alone, so that a service with one port does not load the modules of all.
"""
