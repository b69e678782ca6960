"""Lists that were read to the end of their table, or from its beginning, are read from an index.

No import of leads writes to these tables for each row. An entry of the do-not-call list has a place of its own: a file lists
up to a million numbers at one instant, and the place of a page among them was counted.
"""

from shared.migrations import execute_script

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE do_not_call ADD place bigint GENERATED ALWAYS AS IDENTITY;
COMMENT ON COLUMN do_not_call.place IS 'orders what was listed at one instant, and tells nothing of the number';
DROP INDEX do_not_call_since_idx;
-- Sources and kinds are few: a list of several is merged.
CREATE INDEX do_not_call_list_idx ON do_not_call (source, kind, since, place);

CREATE INDEX imports_uploader_idx ON imports (uploaded_by, id);
CREATE INDEX transfers_list_idx ON transfers (kind, id) WHERE state <> 'preview';
"""
    )
