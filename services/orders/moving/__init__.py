"""Running care goes over to another version of its process: previewed, in batches, each order once."""
