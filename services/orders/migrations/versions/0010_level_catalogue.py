"""The catalogue of levels and the table of moves as people manage them; what the legal gate knows and what it allowed."""

from shared.migrations import execute_script

revision = "0010"
down_revision = "0009"

CATALOGUE = """
CREATE TABLE level_catalogue (
    singleton  boolean PRIMARY KEY DEFAULT true CONSTRAINT level_catalogue_singleton_check CHECK (singleton),
    version    integer NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE level_catalogue IS 'one row: its lock lets one change of levels or moves happen after the other';
INSERT INTO level_catalogue (version, changed_at) VALUES (1, now());

CREATE TABLE level_changes (
    version integer PRIMARY KEY,
    at      timestamptz NOT NULL,
    by_id   uuid,
    by_code text NOT NULL DEFAULT '',
    what    text NOT NULL CONSTRAINT level_changes_what_check CHECK (what IN (
            'level_added', 'level_edited', 'level_retired', 'level_restored', 'levels_ordered', 'move_set', 'move_removed')),
    subject text NOT NULL,
    before  jsonb,
    after   jsonb,
    reason  text NOT NULL DEFAULT ''
);
COMMENT ON TABLE level_changes IS 'every change of the catalogue, by the version that it made';
COMMENT ON COLUMN level_changes.subject IS 'a level (L1.7), the parent of ordered children, or a move (L1.2>L1.7)';
CREATE TRIGGER level_changes_append_only BEFORE UPDATE OR DELETE ON level_changes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE level_transitions
    ADD COLUMN groups text[] NOT NULL DEFAULT '{}',
    ADD COLUMN fields jsonb NOT NULL DEFAULT '[]',
    DROP CONSTRAINT level_transitions_requires_check,
    ADD CONSTRAINT level_transitions_requires_check CHECK (requires <@ ARRAY['reason', 'call', 'order', 'note']);
COMMENT ON COLUMN level_transitions.groups IS 'the staff groups whose people may do it by hand; none: all with the permission';
COMMENT ON COLUMN level_transitions.fields IS 'what the company wants filled in: key, vi, en, kind, choices';
"""

TRANSITIONS = """
ALTER TABLE transitions ADD COLUMN fields jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN transitions.fields IS 'what was filled in for this move: key, value';
CREATE INDEX transitions_at_idx ON transitions (at, id);
CREATE INDEX transitions_level_idx ON transitions (to_level, at, id);
CREATE INDEX transitions_actor_idx ON transitions (actor_code, at, id) WHERE actor_code <> '';
"""

GATE = """
CREATE TABLE consents (
    id          uuid PRIMARY KEY,
    phone       text NOT NULL,
    purpose     text NOT NULL CONSTRAINT consents_purpose_check
                CHECK (purpose IN ('requested_call', 'advertising_call', 'message')),
    act         text NOT NULL CONSTRAINT consents_act_check CHECK (act IN ('given', 'withdrawn')),
    at          timestamptz NOT NULL,
    how         text NOT NULL,
    page        text NOT NULL DEFAULT '',
    text        text NOT NULL DEFAULT '',
    recorded_by text NOT NULL DEFAULT ''
);
COMMENT ON TABLE consents IS 'projection of what people said later, which leads keeps; whoever left a number asked by that';
CREATE INDEX consents_phone_idx ON consents (phone, at);

CREATE TABLE contact_checks (
    id              uuid PRIMARY KEY,
    at              timestamptz NOT NULL,
    phone           text NOT NULL,
    order_id        uuid,
    by              text NOT NULL CONSTRAINT contact_checks_by_check CHECK (by IN ('call', 'message')),
    purpose         text NOT NULL CONSTRAINT contact_checks_purpose_check CHECK (purpose IN ('request', 'advertising')),
    ground          text NOT NULL CONSTRAINT contact_checks_ground_check
                    CHECK (ground IN ('requested', 'consented', 'advertising_limits')),
    how             text NOT NULL,
    since           timestamptz,
    consent_id      uuid,
    consent_text    text NOT NULL DEFAULT '',
    consent_page    text NOT NULL DEFAULT '',
    process         text NOT NULL,
    process_version integer NOT NULL,
    asked_id        uuid,
    asked_code      text NOT NULL
);
COMMENT ON TABLE contact_checks IS 'each answer of the legal gate that allowed a call or a message, as it can be proved later';
COMMENT ON COLUMN contact_checks.order_id IS 'no foreign key: the proof outlives an order whose import is undone';
CREATE INDEX contact_checks_phone_idx ON contact_checks (phone, id);
CREATE INDEX contact_checks_order_idx ON contact_checks (order_id, id) WHERE order_id IS NOT NULL;
CREATE TRIGGER contact_checks_append_only BEFORE UPDATE OR DELETE ON contact_checks
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# Readers elsewhere learn the seed as they learn every later change.
TELL = """
INSERT INTO outbox (id, destination, type, subject, payload, correlation_id, causation_id)
SELECT uuidv7(), 'event', 'orders.level_catalogue.changed.v1', 'levels', json_build_object(
    'version', 1, 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'by', '',
    'levels', (SELECT json_agg(json_build_object('code', code, 'parent', parent, 'vi', vi, 'en', en, 'colour', colour,
        'final', kind = 'final', 'position', position, 'retired', retired_at IS NOT NULL) ORDER BY position) FROM levels)),
    '', '';
"""


def upgrade() -> None:
    for script in (CATALOGUE, TRANSITIONS, GATE, TELL):
        execute_script(script)
