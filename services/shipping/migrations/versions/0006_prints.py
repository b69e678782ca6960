"""Slips and labels of many parcels in one PDF, and which parcel's paper was printed how often."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"

SCHEMA = """
CREATE TABLE prints (
    id              uuid PRIMARY KEY,
    kind            text NOT NULL CONSTRAINT prints_kind_check CHECK (kind IN ('slip', 'label')),
    size            text NOT NULL,
    state           text NOT NULL DEFAULT 'running'
                    CONSTRAINT prints_state_check CHECK (state IN ('running', 'done', 'forgotten')),
    requested_by    uuid NOT NULL,
    requester_code  text NOT NULL,
    requested_at    timestamptz NOT NULL,
    finished_at     timestamptz,
    file            bytea,
    round           integer NOT NULL DEFAULT 1,
    CONSTRAINT prints_finished_check CHECK ((state = 'running') = (finished_at IS NULL)),
    CONSTRAINT prints_file_check CHECK (state = 'done' OR file IS NULL)
);
COMMENT ON TABLE prints IS 'the file holds names and addresses: it is forgotten after a day';
COMMENT ON COLUMN prints.file IS 'NULL in one that is done: no parcel of it could be printed';
CREATE INDEX prints_requester_idx ON prints (requested_by, id);
CREATE INDEX prints_unfinished_idx ON prints (id) WHERE state = 'running';
CREATE INDEX prints_file_idx ON prints (finished_at) WHERE file IS NOT NULL;

CREATE TABLE print_items (
    print_id    uuid NOT NULL REFERENCES prints,
    position    integer NOT NULL,
    shipment_id uuid NOT NULL REFERENCES shipments,
    kind        text NOT NULL,
    number      integer,
    printed_at  timestamptz,
    problem     text NOT NULL DEFAULT '',
    PRIMARY KEY (print_id, position),
    CONSTRAINT print_items_shipment_key UNIQUE (print_id, shipment_id),
    CONSTRAINT print_items_number_key UNIQUE (shipment_id, kind, number)
);
COMMENT ON COLUMN print_items.number IS 'how many-th paper of this kind of this parcel; above 1 the paper says so';
COMMENT ON COLUMN print_items.problem IS 'why there is no page of it';

CREATE TABLE print_parts (
    print_id uuid NOT NULL REFERENCES prints,
    position integer NOT NULL,
    content  bytea NOT NULL,
    PRIMARY KEY (print_id, position)
);
COMMENT ON TABLE print_parts IS 'pages so far, by the place of the first; gone when the file is whole';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
