"""One benchmark a file: `async def run(machine, size) -> Result`."""
