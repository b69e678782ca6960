"""SQL of what is managed and looked at; the paths of arrivals and decisions have their own."""
