"""Operators step into a care: skip, repeat, bring forward, pause, resume."""
