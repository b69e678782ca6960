"""Calendars of business time, as people manage them."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Nothing yet."""
