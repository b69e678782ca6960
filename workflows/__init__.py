"""The workflows: thin, deterministic, without I/O. They import the standard library, temporalio and shared.contracts."""
