"""Everything that ever happened to a lead, as one list in words."""
