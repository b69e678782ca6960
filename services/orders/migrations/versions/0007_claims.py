"""The standard care process of claims: whoever takes a number from the floating pool has 24 calling hours (rule D40)."""

from importlib.resources import files

import orjson
import sqlalchemy as sa
import yaml
from alembic import op

revision = "0007"
down_revision = "0006"

KEY = "cod_standard"
VERSION = 2


def upgrade() -> None:
    seed = yaml.safe_load(files("services.orders.care.seed").joinpath("cod_standard.yaml").read_text(encoding="utf-8"))
    # A fresh installation has it already; a company that published versions of its own goes on with the latest of them.
    op.get_bind().execute(
        sa.text(
            "INSERT INTO process_versions (key, version, body, published_by) "
            "SELECT CAST(:key AS text), CAST(:version AS integer), CAST(:body AS jsonb), 'seed' "
            "WHERE NOT EXISTS (SELECT 1 FROM process_versions WHERE key = :key AND version >= :version)"
        ),
        {"key": KEY, "version": VERSION, "body": orjson.dumps(seed).decode()},
    )
