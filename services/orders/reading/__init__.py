"""What screens read. Everything here comes from the database alone."""
