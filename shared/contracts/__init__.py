"""What services and workflows say to one another: pure pydantic models, names and ids.

Nothing here does I/O, and nothing here imports more than the standard library, pydantic and temporalio, so a workflow
may import any of it inside the sandbox.
"""
