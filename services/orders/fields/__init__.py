"""Fields of the trade: what a company wants to know of its customers and orders beyond what every shop does."""
