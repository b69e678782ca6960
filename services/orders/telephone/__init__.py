"""Telephone systems: what they tell of calls becomes interactions of orders, and calls are started from orders."""
