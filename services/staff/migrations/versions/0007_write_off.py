"""The permission to give up money that a carrier owes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

GROUPS = ["admin", "manager"]
"""Who gets it. A fresh installation has it from 0001 already."""


def upgrade() -> None:
    op.get_bind().execute(
        sa.text(
            "UPDATE groups SET version = version + 1, permissions = "
            "(SELECT array_agg(p ORDER BY p) FROM unnest(permissions || ARRAY['shipping.write_off']) AS p) "
            "WHERE name = ANY(:names) AND NOT 'shipping.write_off' = ANY(permissions)"
        ),
        {"names": GROUPS},
    )
