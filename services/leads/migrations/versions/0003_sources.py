"""Ways in: what sources, landing pages and the raw inbox have besides."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
