"""Everyday use: tags, notes, consent, do-not-call list."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
