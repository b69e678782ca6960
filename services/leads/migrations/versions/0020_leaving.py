"""What the undo of an import takes back just now, which nobody changes meanwhile; conversations are found by their lead."""

from shared.migrations import execute_script

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE import_leaving (
    lead_id uuid PRIMARY KEY CONSTRAINT import_leaving_lead_id_fkey REFERENCES leads ON DELETE CASCADE
);
COMMENT ON TABLE import_leaving IS 'leads of an import that is undone: chosen, and not yet taken back or kept';

-- For each lead that goes PostgreSQL looks whether a conversation led to it.
CREATE INDEX facebook_conversations_order_idx ON facebook_conversations (order_id) WHERE order_id IS NOT NULL;
"""
    )
