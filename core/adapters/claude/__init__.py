"""Claude: pure translation around a thin network client."""
