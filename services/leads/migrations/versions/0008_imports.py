"""Imports as workflows: staged rows, column mappings, dry runs, cancel, undo; tickets of streams."""

from shared.migrations import execute_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE imports
    DROP CONSTRAINT imports_file_hash_key,
    DROP CONSTRAINT imports_state_check,
    DROP CONSTRAINT imports_counts_check,
    DROP COLUMN lease_until,
    ADD mode           text NOT NULL DEFAULT 'import' CONSTRAINT imports_mode_check CHECK (mode IN ('import', 'dry_run')),
    ADD only_new       boolean NOT NULL DEFAULT false,
    ADD may_distribute boolean NOT NULL DEFAULT false,
    ADD header_key     text NOT NULL DEFAULT '',
    ADD received_at    timestamptz,
    ADD row_cursor     integer NOT NULL DEFAULT 0,
    ADD repeated       integer NOT NULL DEFAULT 0,
    ADD round          integer NOT NULL DEFAULT 1,
    ADD undo_round     integer NOT NULL DEFAULT 0,
    ADD undone         integer NOT NULL DEFAULT 0,
    ADD undo_by_id     uuid,
    ADD undo_by        text NOT NULL DEFAULT '',
    ADD undo_reason    text NOT NULL DEFAULT '',
    ADD undone_at      timestamptz,
    ADD CONSTRAINT imports_state_check
        CHECK (state IN ('running', 'checked', 'done', 'cancelled', 'failed', 'undoing', 'undone')),
    ADD CONSTRAINT imports_counts_check CHECK (rows_done = leads + duplicates + rejected + repeated);
UPDATE imports SET received_at = created_at,
    row_cursor = coalesce((SELECT max(row_no) FROM raw_items WHERE import_id = imports.id), 0);
ALTER TABLE imports ALTER received_at SET NOT NULL;
COMMENT ON COLUMN imports.created_at IS 'when the file reached us';
COMMENT ON COLUMN imports.received_at IS
    'arrival of all its rows (rule D9): of the file, or of the word to take in what was only tried';
COMMENT ON COLUMN imports.only_new IS 'rows that an earlier import has taken in are left out';
COMMENT ON COLUMN imports.may_distribute IS 'whoever uploaded it may name the owners of leads';
COMMENT ON COLUMN imports.header_key IS 'which header it has: what column mappings are remembered under';
COMMENT ON COLUMN imports.row_cursor IS 'Excel''s number of the last row that has its verdict';
COMMENT ON COLUMN imports.round IS
    'of its workflow: import/{id}, import/{id}/2, … after a dry run, a resumption, an operator''s end';
COMMENT ON COLUMN imports.undo_round IS 'the same of the workflow that undoes it; 0 = none';
COMMENT ON COLUMN imports.undone IS 'leads and duplicates that the undo has taken back';
CREATE UNIQUE INDEX imports_file_key ON imports (file_hash) WHERE mode = 'import' AND NOT only_new AND state <> 'undone';
DROP INDEX imports_running_idx;
CREATE INDEX imports_running_idx ON imports (id) WHERE state IN ('running', 'undoing');

DROP TABLE import_files;

CREATE TABLE import_rows (
    import_id  uuid NOT NULL CONSTRAINT import_rows_import_id_fkey REFERENCES imports,
    row_no     integer NOT NULL,
    cells      text NOT NULL,
    verdict    text NOT NULL DEFAULT '' CONSTRAINT import_rows_verdict_check
               CHECK (verdict IN ('', 'lead', 'duplicate', 'rejected', 'repeated')),
    reason     text NOT NULL DEFAULT '',
    vi         text NOT NULL DEFAULT '',
    en         text NOT NULL DEFAULT '',
    anchor_id  uuid,
    anchor_row integer,
    PRIMARY KEY (import_id, row_no)
);
COMMENT ON TABLE import_rows IS
    'rows of uploads that are not in raw_items: those to be taken in, those only tried, those of an earlier import';
COMMENT ON COLUMN import_rows.cells IS 'JSON list of texts, in the order of the import''s columns';
COMMENT ON COLUMN import_rows.anchor_id IS 'for a duplicate of a lead that is there already; for a repeated row, that lead';

CREATE TABLE import_trial_windows (
    import_id     uuid NOT NULL CONSTRAINT import_trial_windows_import_id_fkey REFERENCES imports,
    phone         text NOT NULL,
    product_group text NOT NULL DEFAULT '',
    product       text NOT NULL DEFAULT '',
    row_no        integer NOT NULL,
    PRIMARY KEY (import_id, phone, product_group)
);
COMMENT ON TABLE import_trial_windows IS 'numbers that a dry run would have made leads of so far, with their row';

CREATE TABLE import_replaced_windows (
    import_id     uuid NOT NULL CONSTRAINT import_replaced_windows_import_id_fkey REFERENCES imports,
    phone         text NOT NULL,
    product_group text NOT NULL DEFAULT '',
    product       text NOT NULL DEFAULT '',
    anchor_id     uuid NOT NULL,
    opened_at     timestamptz NOT NULL,
    closes_at     timestamptz NOT NULL,
    ended         boolean NOT NULL,
    PRIMARY KEY (import_id, phone, product_group)
);
COMMENT ON TABLE import_replaced_windows IS
    'duplicate windows as they were before a lead of the import opened a new one; for its undo';

CREATE TABLE import_kept (
    import_id uuid NOT NULL CONSTRAINT import_kept_import_id_fkey REFERENCES imports,
    lead_id   uuid NOT NULL,
    reason    text NOT NULL CONSTRAINT import_kept_reason_check CHECK (reason IN ('worked_on', 'came_again', 'changed')),
    PRIMARY KEY (import_id, lead_id)
);
COMMENT ON TABLE import_kept IS 'leads that the undo of their import left alone, and why';

CREATE TABLE import_mappings (
    header_key text PRIMARY KEY,
    labels     jsonb NOT NULL,
    columns    jsonb NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE import_mappings IS 'how the columns of files with one header are read, for the whole company';
COMMENT ON COLUMN import_mappings.columns IS 'label → field, null = not read; labels that are left out are read by their name';

ALTER TABLE raw_items
    DROP CONSTRAINT raw_items_verdict_check,
    DROP CONSTRAINT raw_items_reason_check,
    ADD CONSTRAINT raw_items_verdict_check CHECK (verdict IN ('lead', 'duplicate', 'rejected', 'dismissed', 'undone')),
    ADD CONSTRAINT raw_items_reason_check
        CHECK (verdict = 'undone' OR (verdict IN ('rejected', 'dismissed')) = (reason <> ''));
COMMENT ON COLUMN raw_items.verdict IS 'undone: it was a lead, a duplicate or a rejection until its import was undone';

-- The record of decisions outlives leads whose import is undone: without it no round could be decided again.
ALTER TABLE assignments DROP CONSTRAINT assignments_lead_id_fkey;

CREATE TABLE stream_tickets (
    ticket_hash bytea PRIMARY KEY,
    principal   jsonb NOT NULL,
    topics      text[] NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE stream_tickets IS
    'what opens a stream of server-sent events, once, instead of a header that browsers cannot send';
"""
    )
