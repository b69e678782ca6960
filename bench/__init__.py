"""Benchmarks: what we do next to the bare thing without us, both measured in the same run. `python -m bench --help`."""
