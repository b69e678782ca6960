"""What we owe: due lists, promises that end once, and what happens to those that nobody keeps."""
