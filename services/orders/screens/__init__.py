"""The care screen: everything that it shows, in one answer, laid out by (level, group)."""
