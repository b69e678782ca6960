"""The SQL of the staff service, by subject."""
