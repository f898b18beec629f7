"""`brightrun dataset`: plan, top up, approve, freeze and export data sets."""
