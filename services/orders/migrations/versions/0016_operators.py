"""What operators did to a care, and what the care screen shows."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""
