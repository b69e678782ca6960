"""`make demo`: a small company's day in two minutes, through the services' own APIs, and the proof that nothing was lost."""
