"""What passed between the customer and us, and what each call leads to."""
