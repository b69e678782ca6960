"""The age of a callback is told by its id: one index less to write, when it comes and when it is applied."""

from shared.migrations import execute_script

revision = "0009"
down_revision = "0008"

SCHEMA = """
DROP INDEX callbacks_raw_age_idx;
COMMENT ON COLUMN callbacks_raw.id IS 'UUIDv7 of its arrival: by it the old ones are found';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
