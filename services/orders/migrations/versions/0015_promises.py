"""Snoozes, escalations and the daily proof of the promises."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Nothing yet."""
