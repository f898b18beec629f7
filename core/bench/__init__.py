"""Long measurements of the product, run by `brightrun bench`."""
