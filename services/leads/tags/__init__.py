"""Tags: one catalogue in groups by object, and which leads have which tags (rule D45)."""
