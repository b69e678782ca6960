"""Interactions of every kind, telephone systems, notes between colleagues."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing yet."""
