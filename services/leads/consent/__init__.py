"""Consent of the people behind the numbers, and the list of numbers that must not be called (rule D38)."""
