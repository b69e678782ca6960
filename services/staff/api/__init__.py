"""The HTTP routes of the staff service, by subject."""
