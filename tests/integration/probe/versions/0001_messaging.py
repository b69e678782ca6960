"""The shared tables and one of our own to count effects."""

from alembic import op

from shared.migrations import create_messaging_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    op.execute("CREATE TABLE effects (event_id uuid NOT NULL, order_id uuid NOT NULL)")
