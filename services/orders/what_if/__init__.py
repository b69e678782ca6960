"""What if: recorded orders live once more, under another care process, and both lives are compared."""
