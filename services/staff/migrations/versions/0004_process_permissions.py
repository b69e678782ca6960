"""The permissions to edit care processes and to put them into force."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NEW = {"admin": ["orders.process.edit", "orders.process.publish"], "manager": ["orders.process.edit"]}
"""Group → permissions. A fresh installation has them from 0001 already."""


def upgrade() -> None:
    op.get_bind().execute(
        sa.text(
            "UPDATE groups SET version = version + 1, permissions = "
            "(SELECT array_agg(DISTINCT p ORDER BY p) FROM unnest(permissions || CAST(:new AS text[])) AS p) "
            "WHERE name = :name AND NOT permissions @> CAST(:new AS text[])"
        ),
        [{"name": name, "new": permissions} for name, permissions in NEW.items()],
    )
