"""Leads that were withdrawn: their orders never were."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE withdrawn_leads (
    lead_id uuid PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE withdrawn_leads IS 'leads and duplicates of undone imports: what is still told of them is ignored';

CREATE FUNCTION refuse_change_of_orders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM withdrawn_leads WHERE lead_id = OLD.order_id) THEN RETURN OLD; END IF; RAISE
    EXCEPTION 'append-only'; END $$;
DROP TRIGGER transitions_append_only ON transitions;
CREATE TRIGGER transitions_append_only BEFORE UPDATE OR DELETE ON transitions
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_orders();
"""
    )
