"""The permission to step into a care."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

GROUPS = ["admin", "manager"]
"""Who gets it. A fresh installation has it from 0001 already."""


def upgrade() -> None:
    op.get_bind().execute(
        sa.text(
            "UPDATE groups SET version = version + 1, permissions = "
            "(SELECT array_agg(p ORDER BY p) FROM unnest(permissions || ARRAY['orders.operate']) AS p) "
            "WHERE name = ANY(:names) AND NOT 'orders.operate' = ANY(permissions)"
        ),
        {"names": GROUPS},
    )
