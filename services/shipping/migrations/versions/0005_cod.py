"""The money of parcels: what was agreed with carriers, their statements, the bank's credits, named differences."""

from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"

SCHEMA = """
CREATE TABLE cod_contracts (
    connection_id      uuid PRIMARY KEY REFERENCES carrier_connections ON DELETE CASCADE,
    proof              text NOT NULL CONSTRAINT cod_contracts_proof_check
                       CHECK (proof IN ('status', 'statement', 'bank')),
    days_to_pay        integer NOT NULL CONSTRAINT cod_contracts_pay_check CHECK (days_to_pay BETWEEN 0 AND 90),
    days_to_compensate integer NOT NULL
                       CONSTRAINT cod_contracts_compensate_check CHECK (days_to_compensate BETWEEN 0 AND 180),
    days_to_credit     integer NOT NULL CONSTRAINT cod_contracts_credit_check CHECK (days_to_credit BETWEEN 0 AND 30),
    fee_check          text NOT NULL CONSTRAINT cod_contracts_fee_check
                       CHECK (fee_check IN ('delivery', 'total', 'off')),
    fee_tolerance      bigint NOT NULL CONSTRAINT cod_contracts_tolerance_check CHECK (fee_tolerance >= 0),
    version            integer NOT NULL DEFAULT 1,
    updated_by         text NOT NULL,
    updated_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cod_contracts IS 'what was agreed with a carrier about money; without a row its usual terms hold';

CREATE TABLE cod_statements (
    id              uuid PRIMARY KEY,
    connection_id   uuid NOT NULL REFERENCES carrier_connections,
    number          text NOT NULL DEFAULT '',
    number_key      text NOT NULL DEFAULT '',
    paid_on         date NOT NULL,
    file_name       text NOT NULL,
    file_hash       bytea NOT NULL CONSTRAINT cod_statements_hash_check CHECK (octet_length(file_hash) = 32),
    layout          text NOT NULL DEFAULT '',
    sheets          json NOT NULL DEFAULT '[]',
    state           text NOT NULL CONSTRAINT cod_statements_state_check CHECK (state IN
                        ('unmapped', 'doubtful', 'matching', 'matched', 'withdrawing', 'withdrawn')),
    problem         json,
    lines           integer NOT NULL DEFAULT 0,
    matched         integer NOT NULL DEFAULT 0,
    compared_to     integer NOT NULL DEFAULT 0,
    cod             bigint NOT NULL DEFAULT 0,
    fees            bigint NOT NULL DEFAULT 0,
    compensation    bigint NOT NULL DEFAULT 0,
    net             bigint NOT NULL DEFAULT 0,
    credited_at     timestamptz,
    round           integer NOT NULL DEFAULT 1,
    uploaded_by     text NOT NULL,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    withdrawn_by    text NOT NULL DEFAULT '',
    withdraw_reason text NOT NULL DEFAULT '',
    withdrawn_at    timestamptz
);
COMMENT ON COLUMN cod_statements.number IS 'the carrier''s own number of the session; number_key = its letters and digits';
COMMENT ON COLUMN cod_statements.state IS
    'unmapped = kept, its columns are not known; doubtful = kept, no line is about a parcel of this shop';
COMMENT ON COLUMN cod_statements.compared_to IS 'number of the last line that was compared with its parcel';
COMMENT ON COLUMN cod_statements.net IS 'what the carrier pays out: as its column says, else COD and compensation less fees';
COMMENT ON COLUMN cod_statements.credited_at IS 'when the bank''s credits had reached it; at once where nothing is paid out';
COMMENT ON COLUMN cod_statements.round IS 'number of its workflow: a further one when it is withdrawn after it was compared';
CREATE UNIQUE INDEX cod_statements_file_key ON cod_statements (file_hash) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX cod_statements_number_key ON cod_statements (connection_id, number_key)
    WHERE number_key <> '' AND withdrawn_at IS NULL;

CREATE TABLE cod_statement_files (
    statement_id uuid PRIMARY KEY REFERENCES cod_statements ON DELETE CASCADE,
    content      bytea NOT NULL
);
COMMENT ON TABLE cod_statement_files IS 'files whose columns are not known yet; of the others the lines are kept whole';

CREATE TABLE cod_lines (
    statement_id uuid NOT NULL REFERENCES cod_statements ON DELETE CASCADE,
    number       integer NOT NULL,
    sheet        smallint NOT NULL,
    row          integer NOT NULL,
    waybill      text NOT NULL,
    code         text NOT NULL,
    shipment_id  uuid,
    matched_by   text NOT NULL CONSTRAINT cod_lines_matched_check
                 CHECK (matched_by IN ('', 'waybill', 'reference', 'order', 'person')),
    status       text NOT NULL,
    cod          bigint,
    compensation bigint,
    delivery_fee bigint,
    fee          bigint,
    fees         json NOT NULL,
    net          bigint,
    unreadable   text NOT NULL,
    cells        json NOT NULL,
    CONSTRAINT cod_lines_matched_by_check CHECK ((shipment_id IS NULL) = (matched_by = '')),
    PRIMARY KEY (statement_id, number)
);
COMMENT ON COLUMN cod_lines.shipment_id IS
    'ours, looked up when the line was staged; no foreign key, whose check would cost more than the line: none is deleted';
COMMENT ON COLUMN cod_lines.cod IS 'NULL = the sheet has no such column';
COMMENT ON COLUMN cod_lines.fee IS 'all fees together, by kind in fees; delivery_fee is the one that carriers quote';
COMMENT ON COLUMN cod_lines.unreadable IS 'labels of the cells that should have held money and could not be read';
CREATE INDEX cod_lines_shipment_idx ON cod_lines (shipment_id) WHERE shipment_id IS NOT NULL;

CREATE TABLE cod_column_maps (
    carrier    text NOT NULL,
    header_key text NOT NULL,
    columns    jsonb NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier, header_key)
);
COMMENT ON TABLE cod_column_maps IS 'what people said that columns mean, by the set of column names of a carrier''s files';

CREATE TABLE bank_credits (
    id           uuid PRIMARY KEY,
    key          bytea NOT NULL CONSTRAINT bank_credits_key UNIQUE,
    credited_on  date NOT NULL,
    amount       bigint NOT NULL CONSTRAINT bank_credits_amount_check CHECK (amount > 0),
    text         text NOT NULL,
    reference    text NOT NULL DEFAULT '',
    statement_id uuid REFERENCES cod_statements,
    linked_by    text NOT NULL DEFAULT '',
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bank_credits_linked_check CHECK ((statement_id IS NULL) = (linked_by = ''))
);
COMMENT ON COLUMN bank_credits.key IS 'what makes two credits one: the bank''s reference, else day, amount, text and place';
COMMENT ON COLUMN bank_credits.linked_by IS '"number", "amount", or the code of a person';
CREATE INDEX bank_credits_statement_idx ON bank_credits (statement_id) WHERE statement_id IS NOT NULL;
CREATE INDEX bank_credits_open_idx ON bank_credits (id) WHERE statement_id IS NULL;

CREATE TABLE cod_differences (
    id            uuid PRIMARY KEY,
    key           text NOT NULL CONSTRAINT cod_differences_key UNIQUE,
    kind          text NOT NULL CONSTRAINT cod_differences_kind_check CHECK (kind IN ('short', 'over', 'double', 'missing',
                      'returned_yet_paid', 'paid_not_delivered', 'wrong_fee', 'compensation_missing',
                      'compensation_short', 'unknown_line', 'wrong_net', 'bank_missing', 'bank_short', 'bank_over')),
    connection_id uuid NOT NULL REFERENCES carrier_connections,
    shipment_id   uuid REFERENCES shipments,
    statement_id  uuid REFERENCES cod_statements,
    line          integer,
    expected      bigint NOT NULL,
    found         bigint NOT NULL,
    amount        bigint NOT NULL,
    label         text NOT NULL DEFAULT '',
    since         timestamptz NOT NULL,
    state         text NOT NULL DEFAULT 'open' CONSTRAINT cod_differences_state_check
                  CHECK (state IN ('open', 'mended', 'resolved', 'written_off')),
    opened_at     timestamptz NOT NULL,
    closed_at     timestamptz,
    closed_by     text NOT NULL DEFAULT '',
    reason        text NOT NULL DEFAULT '',
    cause         text NOT NULL DEFAULT '',
    times         integer NOT NULL DEFAULT 1,
    CONSTRAINT cod_differences_closed_check CHECK ((state = 'open') = (closed_at IS NULL))
);
COMMENT ON COLUMN cod_differences.key IS 'what it is about and its kind: told again by another file, it is the same row';
COMMENT ON COLUMN cod_differences.amount IS 'what the carrier owes us; below zero: what we owe it';
COMMENT ON COLUMN cod_differences.label IS 'of an unknown line: the code that stands there; of a statement: its number';
COMMENT ON COLUMN cod_differences.times IS 'how often it was opened';
CREATE INDEX cod_differences_open_idx ON cod_differences (connection_id, kind, id) WHERE state = 'open';
CREATE INDEX cod_differences_newest_idx ON cod_differences (id) WHERE state = 'open';
CREATE INDEX cod_differences_shipment_idx ON cod_differences (shipment_id) WHERE shipment_id IS NOT NULL;
CREATE INDEX cod_differences_statement_idx ON cod_differences (statement_id) WHERE statement_id IS NOT NULL;

CREATE TABLE cod_write_offs (
    shipment_id uuid PRIMARY KEY REFERENCES shipments,
    amount      bigint NOT NULL,
    reason      text NOT NULL CONSTRAINT cod_write_offs_reason_check CHECK (reason <> ''),
    by_id       uuid NOT NULL,
    by          text NOT NULL,
    at          timestamptz NOT NULL
);

-- Codes as letters and digits alone, because people and programs write them with spaces, dots and small letters.
CREATE INDEX shipments_waybill_plain_idx ON shipments
    (connection_id, upper(regexp_replace(waybill, '[^A-Za-z0-9]', '', 'g'))) WHERE waybill <> '';
CREATE INDEX creation_attempts_plain_idx ON creation_attempts
    (upper(regexp_replace(reference, '[^A-Za-z0-9]', '', 'g')));
CREATE INDEX shippable_orders_plain_idx ON shippable_orders
    (upper(regexp_replace(code, '[^A-Za-z0-9]', '', 'g'))) WHERE code <> '';
CREATE INDEX shipments_owed_idx ON shipments (connection_id, delivered_at)
    WHERE status = 'delivered' AND settled_at IS NULL AND cod > 0;
"""


def upgrade() -> None:
    execute_script(SCHEMA)
