"""Statuses from a file or a pasted list: previewed, applied with a result for each row, taken back."""
