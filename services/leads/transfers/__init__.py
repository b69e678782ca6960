"""Many leads given to people by hand: planned, shown, confirmed, and done in batches that survive any kill."""
