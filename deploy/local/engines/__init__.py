"""The engines behind the product, run from Python wheels: PostgreSQL, NATS with JetStream, Temporal.

Each is a class with `start`, `stop`, `kill`, `restart`, `wipe`, `pid` and `url`, used by the local stack and by tests.
"""

from deploy.local.engines.base import Engine, EngineMissing
from deploy.local.engines.nats_server import Nats
from deploy.local.engines.postgres import Postgres
from deploy.local.engines.temporal import Temporal, cli_path, time_skipping_server_path

__all__ = ["Engine", "EngineMissing", "Nats", "Postgres", "Temporal", "cli_path", "time_skipping_server_path"]
