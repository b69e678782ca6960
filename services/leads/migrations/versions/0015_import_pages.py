"""Rows of an upload are staged by the page, not each by itself; and an index that leads without a pool need not be in.

A row of its own cost twelve microseconds from its COPY to its DELETE, and finding the next ones was a sort of all. Uploads
that are staged now go on: what has no verdict yet becomes pages; what has one that is not in the raw inbox, because it was only
tried or is known from an earlier import, keeps it in import_verdicts, which is import_rows under the name of what is left in it.
"""

from shared.migrations import execute_script

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE import_pages (
    import_id uuid NOT NULL,
    first_row integer NOT NULL,
    numbers   integer[] NOT NULL,
    lines     bytea NOT NULL,
    PRIMARY KEY (import_id, first_row),
    CONSTRAINT import_pages_first_check CHECK (numbers[1] = first_row)
);
ALTER TABLE import_pages ALTER lines SET STORAGE EXTERNAL;
COMMENT ON TABLE import_pages IS
    'rows of uploads that are to be taken in, each page until the transaction that takes it in; those of a dry run stay';
COMMENT ON COLUMN import_pages.numbers IS 'Excel''s numbers of its rows';
COMMENT ON COLUMN import_pages.lines IS
    'UTF-8; a line for each row, a JSON list of texts in the order of the import''s columns';

INSERT INTO import_pages (import_id, first_row, numbers, lines)
SELECT import_id, min(row_no), array_agg(row_no ORDER BY row_no),
    convert_to(string_agg(cells, chr(10) ORDER BY row_no), 'UTF8')
FROM (
    SELECT r.import_id, r.row_no, r.cells, r.row_no > i.row_cursor AS waits,
        (row_number() OVER (PARTITION BY r.import_id, r.row_no > i.row_cursor ORDER BY r.row_no) - 1) / 1000 AS page
    FROM import_rows r JOIN imports i ON i.id = r.import_id WHERE i.mode = 'dry_run' OR r.row_no > i.row_cursor
) AS staged GROUP BY import_id, waits, page;
DELETE FROM import_rows r USING imports i WHERE i.id = r.import_id AND (r.row_no > i.row_cursor OR r.verdict = '');

ALTER TABLE import_rows RENAME TO import_verdicts;
ALTER TABLE import_verdicts RENAME CONSTRAINT import_rows_pkey TO import_verdicts_pkey;
ALTER TABLE import_verdicts DROP CONSTRAINT import_rows_verdict_check,
    ADD CONSTRAINT import_verdicts_verdict_check CHECK (verdict IN ('lead', 'duplicate', 'rejected', 'repeated')),
    ALTER verdict DROP DEFAULT;
COMMENT ON TABLE import_verdicts IS
    'verdicts of rows that are not in raw_items: those that were only tried, those of an earlier import';

DROP INDEX backlog_topic_idx;
CREATE INDEX backlog_topic_idx ON backlog (pool_id, channel, product, landing_page, received_at, lead_id)
    WHERE pool_id IS NOT NULL;
"""
    )
