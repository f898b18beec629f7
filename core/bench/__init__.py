"""Long measurements of the product by itself, run by `brightrun bench`."""
