"""Traffic between a shop and its carrier as a file: recorded, made anonymous, replayed. `python -m deploy.local.carriers`."""
