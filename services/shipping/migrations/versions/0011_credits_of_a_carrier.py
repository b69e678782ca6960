"""Payments of a carrier with several shops, which no text tells apart, stand under the carrier."""

from shared.migrations import execute_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE cod_differences ALTER COLUMN connection_id DROP NOT NULL, ADD COLUMN carrier text;
UPDATE cod_differences d SET connection_id = NULL, carrier = c.carrier
FROM carrier_connections c
WHERE c.id = d.connection_id AND d.kind = 'bank_unknown'
    AND EXISTS (SELECT 1 FROM carrier_connections o WHERE o.carrier = c.carrier AND o.id <> c.id);
ALTER TABLE cod_differences ADD CONSTRAINT cod_differences_whose_check
    CHECK ((connection_id IS NULL) = (carrier IS NOT NULL));
COMMENT ON COLUMN cod_differences.carrier IS 'whose it is where it is of no single shop; NULL = that of the connection';
"""
    )
