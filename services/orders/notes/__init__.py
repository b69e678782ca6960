"""Notes between colleagues on an order: mentions, and questions whose answer is a promise."""
