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
    for script in (CATALOGUE, TRANSITIONS, TELL):
        execute_script(script)
