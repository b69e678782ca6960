"""Codes that no carrier's table has, and the meanings that people give them."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"

SCHEMA = """
CREATE TABLE carrier_codes (
    carrier         text NOT NULL,
    kind            text NOT NULL CONSTRAINT carrier_codes_kind_check CHECK (kind IN ('status', 'reason')),
    code            text NOT NULL,
    seen            bigint NOT NULL,
    shipment_id     uuid NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at    timestamptz NOT NULL DEFAULT now(),
    status          text,
    provisional     boolean NOT NULL DEFAULT false,
    settles         boolean NOT NULL DEFAULT false,
    either_way      boolean NOT NULL DEFAULT false,
    awaits_decision boolean NOT NULL DEFAULT false,
    needs_person    boolean NOT NULL DEFAULT false,
    vi              text NOT NULL DEFAULT '',
    en              text NOT NULL DEFAULT '',
    mapped_at       timestamptz,
    mapped_by       uuid,
    version         integer NOT NULL DEFAULT 0,
    PRIMARY KEY (carrier, kind, code),
    CONSTRAINT carrier_codes_mapped_check CHECK (
        (mapped_at IS NOT NULL OR mapped_by IS NULL) AND (status IS NULL) = (mapped_at IS NULL OR kind = 'reason')
        AND (mapped_at IS NULL) = (vi = '') AND (mapped_at IS NULL) = (version = 0))
);
COMMENT ON TABLE carrier_codes IS 'codes that stand in no table of the carrier; without mapped_at a question to people';
COMMENT ON COLUMN carrier_codes.seen IS 'how often it was met before it had a meaning, repetitions counted';
COMMENT ON COLUMN carrier_codes.shipment_id IS 'the first that had it, as an example';

COMMENT ON COLUMN carrier_codes.mapped_by IS 'NULL: the carrier''s table has it since';

ALTER TABLE timeline_entries ADD COLUMN meaning_version integer;
COMMENT ON COLUMN timeline_entries.meaning_version IS
    'its status code stands in no table of the carrier: version of its row in carrier_codes that it was read by, 0 = no meaning';
UPDATE timeline_entries SET meaning_version = 0 WHERE status IS NULL;
CREATE INDEX timeline_entries_strange_idx ON timeline_entries (raw_status, shipment_id) WHERE meaning_version IS NOT NULL;
INSERT INTO carrier_codes (carrier, kind, code, seen, shipment_id, first_seen_at, last_seen_at)
SELECT c.carrier, 'status', e.raw_status, count(*), min(e.shipment_id::text)::uuid, min(e.received_at), max(e.received_at)
FROM timeline_entries e JOIN shipments s ON s.id = e.shipment_id JOIN carrier_connections c ON c.id = s.connection_id
WHERE e.meaning_version = 0 GROUP BY c.carrier, e.raw_status;
"""


def upgrade() -> None:
    execute_script(SCHEMA)
