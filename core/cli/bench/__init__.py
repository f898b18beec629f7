"""`brightrun bench`: measurements that take minutes."""
