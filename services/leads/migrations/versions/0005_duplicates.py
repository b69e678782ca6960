"""Duplicates: the window as a setting, releases, merges, spam."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
