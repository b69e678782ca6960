"""Addresses in both eras: the official units as data, found by what people type, and what became of the old ones."""
