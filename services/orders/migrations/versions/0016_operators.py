"""What operators did to a care, and how the care screen is laid out."""

import orjson
import sqlalchemy as sa
from alembic import op

from shared.migrations import execute_script

revision = "0016"
down_revision = "0015"

SCREENS = {
    ("all", "all"): (
        *("care", "tasks", "customer", "order", "lead", "moves"),
        *("contact", "notes", "timeline", "promises", "other_orders", "duplicates", "shipment"),
    ),
    ("L1", "sale"): (
        *("care", "tasks", "contact", "customer", "lead", "moves", "notes", "timeline"),
        *("promises", "other_orders", "duplicates"),
    ),
    ("L5", "all"): ("order", "customer", "care", "tasks", "moves", "notes", "timeline", "shipment", "other_orders"),
    ("L7", "all"): ("shipment", "order", "customer", "tasks", "moves", "notes", "timeline", "care", "other_orders"),
    ("L8", "all"): ("order", "shipment", "customer", "timeline", "other_orders", "promises"),
}
"""What a fresh installation shows; a company edits it."""
CLOSED = frozenset({"promises", "other_orders", "duplicates"})
"""Shown as headings at first."""


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE care_commands (
    id       uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    number   integer NOT NULL,
    kind     text NOT NULL
        CONSTRAINT care_commands_kind_check CHECK (kind IN ('skip', 'repeat', 'bring_forward', 'pause', 'resume')),
    target   text,
    until    timestamptz,
    at       timestamptz NOT NULL,
    step     text NOT NULL,
    by_id    uuid NOT NULL,
    by_code  text NOT NULL,
    reason   text NOT NULL CONSTRAINT care_commands_reason_check CHECK (reason <> ''),
    CONSTRAINT care_commands_number_key UNIQUE (order_id, number),
    CONSTRAINT care_commands_target_check CHECK ((target IS NOT NULL) = (kind = 'skip')),
    CONSTRAINT care_commands_until_check CHECK (until IS NULL OR kind = 'pause')
);
COMMENT ON TABLE care_commands IS 'how operators stepped into a care: append-only facts that the care process reads';
COMMENT ON COLUMN care_commands.step IS 'where the care stood';
COMMENT ON COLUMN care_commands.target IS 'the step to which a skip goes';
CREATE TRIGGER care_commands_append_only BEFORE UPDATE OR DELETE ON care_commands
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE care_screens (
    level      text NOT NULL,
    group_name text NOT NULL,
    version    integer NOT NULL,
    sections   jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT '',
    PRIMARY KEY (level, group_name)
);
COMMENT ON TABLE care_screens IS 'sections of the care screen from top to bottom; all = where there is none of its own';
"""
    )
    op.get_bind().execute(
        sa.text(
            "INSERT INTO care_screens (level, group_name, version, sections) "
            "VALUES (:level, :group, 1, CAST(:sections AS jsonb))"
        ),
        [
            {
                "level": level,
                "group": group,
                "sections": orjson.dumps([{"section": name, "collapsed": name in CLOSED} for name in names]).decode(),
            }
            for (level, group), names in SCREENS.items()
        ],
    )
