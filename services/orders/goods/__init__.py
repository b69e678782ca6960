"""Products, and the stock of which no unit can be sold twice."""
