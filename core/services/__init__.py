"""Use cases. They depend on ports and the domain alone."""
