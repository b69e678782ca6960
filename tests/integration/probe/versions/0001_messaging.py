"""The shared tables and one of our own to count effects."""

from alembic import op

from shared.migrations import COMMANDS_TOGETHER, FACTS_TOGETHER, create_messaging_tables, execute_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    execute_script(FACTS_TOGETHER)
    execute_script(COMMANDS_TOGETHER)
    op.execute("CREATE TABLE effects (event_id uuid NOT NULL, order_id uuid NOT NULL)")
