from alembic import context
from sqlalchemy import MetaData

from shared.migrations import run_env

run_env(context.config.attributes["url"], MetaData())
