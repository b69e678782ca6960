"""Facts of a list go into the outbox some hundreds a row."""

from shared.migrations import FACTS_TOGETHER, execute_script

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    execute_script(FACTS_TOGETHER)
