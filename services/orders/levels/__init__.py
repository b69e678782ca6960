"""Levels: which there are, and the one function that changes the level of an order."""
