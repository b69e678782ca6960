"""What operators did to a care."""

from shared.migrations import execute_script

revision = "0016"
down_revision = "0015"


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
"""
    )
