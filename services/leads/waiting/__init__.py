"""New numbers that nobody has: after some business time the managers are told (rule D7)."""
