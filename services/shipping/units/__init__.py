"""The carriers' own lists of provinces, districts and wards."""
