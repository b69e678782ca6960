"""Lists of leads: what they are narrowed to, in which order they come, and how many there are."""
