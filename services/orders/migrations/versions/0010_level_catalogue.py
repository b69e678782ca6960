"""The catalogue of levels and the table of moves as people manage them."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing yet."""
