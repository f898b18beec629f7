"""How well the verdict tells whole conversations from cut ones, measured on files that the caller names."""
