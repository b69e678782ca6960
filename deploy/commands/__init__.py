"""Sub-commands of `chot`, one module a subject.

A module has a function `register(app: typer.Typer) -> None` that adds its commands; nothing else has to be told of it.
All modules are imported by every call of `chot`, so what is heavy (engines, HTTP clients, databases) is imported inside
the functions that need it.
"""
