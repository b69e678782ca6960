"""A service with nothing but the tables that every service has, to test what they share."""
