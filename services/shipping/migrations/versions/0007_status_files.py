"""Statuses from a file or a pasted list: their rows, what became of each, and which entries of timelines are theirs."""

from shared.migrations import execute_script

revision = "0007"
down_revision = "0006"

SCHEMA = """
CREATE TABLE status_files (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    content_hash  bytea NOT NULL CONSTRAINT status_files_hash_check CHECK (octet_length(content_hash) = 32),
    connection_id uuid REFERENCES carrier_connections ON DELETE SET NULL,
    status        text,
    at            timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'previewed' CONSTRAINT status_files_state_check
                  CHECK (state IN ('previewed', 'applying', 'applied', 'undoing', 'undone')),
    rows          integer NOT NULL,
    by_id         uuid NOT NULL,
    by_code       text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    applied_by    text NOT NULL DEFAULT '',
    applied_at    timestamptz,
    undone_by     text NOT NULL DEFAULT '',
    undone_at     timestamptz
);
COMMENT ON COLUMN status_files.name IS 'of the file; empty = a pasted list';
COMMENT ON COLUMN status_files.content_hash IS 'SHA-256 of the content and of what was said about all of it';
COMMENT ON COLUMN status_files.at IS 'time of the rows that have none of their own';
CREATE UNIQUE INDEX status_files_applied_key ON status_files (content_hash) WHERE state IN ('applying', 'applied');
CREATE INDEX status_files_by_idx ON status_files (by_id, id);

CREATE TABLE status_file_rows (
    file_id         uuid NOT NULL REFERENCES status_files ON DELETE CASCADE,
    number          integer NOT NULL,
    code            text NOT NULL,
    other_code      text NOT NULL,
    told            text NOT NULL,
    at              timestamptz,
    time_unreadable boolean NOT NULL,
    reason          text NOT NULL,
    shipment_id     uuid REFERENCES shipments,
    verdict         text NOT NULL DEFAULT '',
    carrier_status  text NOT NULL DEFAULT '',
    before          text,
    after           text,
    result          text NOT NULL DEFAULT '',
    entry_id        uuid,
    PRIMARY KEY (file_id, number)
);
COMMENT ON COLUMN status_file_rows.verdict IS 'when it was previewed';
COMMENT ON COLUMN status_file_rows.carrier_status IS 'the carrier''s code for what the row tells';
COMMENT ON COLUMN status_file_rows.result IS 'the verdict when it was applied, or what became of it when it was taken back';
COMMENT ON COLUMN status_file_rows.entry_id IS 'of the timeline, which this row tells';
CREATE INDEX status_file_rows_shipment_idx ON status_file_rows (file_id, shipment_id) WHERE shipment_id IS NOT NULL;
CREATE INDEX status_file_rows_entry_idx ON status_file_rows (entry_id) WHERE entry_id IS NOT NULL;
CREATE INDEX shippable_orders_code_idx ON shippable_orders (code) WHERE code <> '';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
