"""The raw inbox after arrival: what was rejected is corrected, dismissed, or read again in bulk."""
