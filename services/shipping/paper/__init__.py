"""What is stuck on a parcel: our own slips, the carriers' labels, many of them in one PDF."""
