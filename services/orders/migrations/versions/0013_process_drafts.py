"""Drafts of the care process, how one is chosen, and moves of running care."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Nothing yet."""
