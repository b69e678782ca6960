"""The levels of the company are told once more: leads keeps them too since its step 0013, and knows the seed by itself."""

from shared.migrations import execute_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    execute_script(
        """
INSERT INTO outbox (id, destination, type, subject, payload, correlation_id, causation_id)
SELECT uuidv7(), 'event', 'orders.level_catalogue.changed.v1', 'levels', json_build_object(
    'version', c.version, 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'by', '',
    'levels', (SELECT json_agg(json_build_object('code', code, 'parent', parent, 'vi', vi, 'en', en, 'colour', colour,
        'final', kind = 'final', 'position', position, 'retired', retired_at IS NOT NULL) ORDER BY position) FROM levels)),
    '', ''
FROM level_catalogue c WHERE c.version > 1;
"""
    )
