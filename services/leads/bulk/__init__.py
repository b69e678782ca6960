"""One action on many leads at once, with a result for each."""
