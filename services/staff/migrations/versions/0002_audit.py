"""Who did what to accounts, and the permissions that came since 0001."""

import sqlalchemy as sa
from alembic import op

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"

AUDIT = """
CREATE TABLE account_audit (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT account_audit_account_fkey REFERENCES accounts (id),
    what       text NOT NULL CONSTRAINT account_audit_what_check CHECK (what IN ('password_reset')),
    by         text NOT NULL,
    at         timestamptz NOT NULL
);
COMMENT ON COLUMN account_audit.by IS 'staff code, or user@host of who has access to the machine';
CREATE INDEX account_audit_account_idx ON account_audit (account_id, id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'append-only'; END $$;
CREATE TRIGGER account_audit_append_only BEFORE UPDATE OR DELETE ON account_audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

NEW = {"admin": ["orders.reopen"], "manager": ["orders.reopen"]}
"""Group → permissions. A fresh installation has them from 0001 already."""


def upgrade() -> None:
    execute_script(AUDIT)
    op.get_bind().execute(
        sa.text(
            "UPDATE groups SET version = version + 1, permissions = "
            "(SELECT array_agg(DISTINCT p ORDER BY p) FROM unnest(permissions || CAST(:new AS text[])) AS p) "
            "WHERE name = :name AND NOT permissions @> CAST(:new AS text[])"
        ),
        [{"name": name, "new": permissions} for name, permissions in NEW.items()],
    )
