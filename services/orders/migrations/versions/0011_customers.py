"""Who the customers are: contacts, addresses of both eras, fields of the trade."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""
