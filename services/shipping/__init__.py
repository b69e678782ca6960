"""Shipping: carriers, shipments and their one timeline, labels, and the money until it is home."""
