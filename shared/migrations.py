"""Runs a service's Alembic migrations, and creates the tables that every service has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from alembic import command, op
from alembic.config import Config

from shared.db import Database

MESSAGING = """
CREATE TABLE outbox (
    id              uuid PRIMARY KEY,
    destination     text NOT NULL CONSTRAINT outbox_destination_check CHECK (destination IN ('event', 'command')),
    type            text NOT NULL,
    subject         text NOT NULL,
    payload         json NOT NULL,
    correlation_id  text NOT NULL,
    causation_id    text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    status          text NOT NULL DEFAULT 'pending'
                    CONSTRAINT outbox_status_check CHECK (status IN ('pending', 'sent', 'dead')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text,
    sent_at         timestamptz,
    stream_sequence bigint
);
COMMENT ON COLUMN outbox.type IS 'event type, which is its NATS subject, or the name of the workflow';
COMMENT ON COLUMN outbox.subject IS 'id of the entity, or of the workflow';
CREATE INDEX outbox_pending_idx ON outbox (destination, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX outbox_sequence_idx ON outbox (stream_sequence) WHERE status = 'sent' AND stream_sequence IS NOT NULL;
CREATE INDEX outbox_created_idx ON outbox (created_at);

CREATE TABLE relay_streams (
    stream     text PRIMARY KEY,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE relay_streams IS 'the stream that acknowledged sequences belong to; another creation time = it was lost';

CREATE TABLE inbox (
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    attempts    integer NOT NULL DEFAULT 1,
    received_at timestamptz NOT NULL DEFAULT now(),
    handled_at  timestamptz,
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received_idx ON inbox (received_at);

CREATE TABLE dead_letters (
    id             uuid PRIMARY KEY,
    consumer       text NOT NULL,
    event_id       text NOT NULL,
    type           text NOT NULL,
    headers        jsonb NOT NULL,
    payload        bytea NOT NULL,
    error          text NOT NULL,
    attempts       integer NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    resolved_at    timestamptz,
    resolved_by    text,
    CONSTRAINT dead_letters_message_key UNIQUE (consumer, event_id)
);
CREATE INDEX dead_letters_open_idx ON dead_letters (created_at) WHERE resolved_at IS NULL;

CREATE TABLE idempotency_keys (
    principal    text NOT NULL,
    route        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       integer,
    body         json,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

CREATE TABLE staff_members (
    account_id   uuid PRIMARY KEY,
    version      integer NOT NULL DEFAULT 0,
    code         text NOT NULL DEFAULT '',
    name         text NOT NULL DEFAULT '',
    department   text NOT NULL DEFAULT '',
    group_name   text NOT NULL DEFAULT '',
    team         text NOT NULL DEFAULT '',
    superior_id  uuid,
    active       boolean NOT NULL DEFAULT true,
    token_epoch  integer NOT NULL DEFAULT 0,
    on_duty      boolean NOT NULL DEFAULT false,
    duty_version integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE staff_members IS 'projection of the staff service; version 0 = only a duty switch is known so far';
CREATE INDEX staff_members_code_idx ON staff_members (code);

CREATE TABLE staff_closure (
    superior_id uuid NOT NULL,
    account_id  uuid NOT NULL,
    depth       integer NOT NULL,
    PRIMARY KEY (superior_id, account_id)
);
COMMENT ON TABLE staff_closure IS 'who is below whom, everybody below themselves at depth 0';
CREATE INDEX staff_closure_account_idx ON staff_closure (account_id);
"""

FACTS_TOGETHER = """
ALTER TABLE outbox DROP CONSTRAINT outbox_destination_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_destination_check CHECK (destination IN ('event', 'events', 'command'));
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON COLUMN outbox.payload IS 'of destination events: many events of one type, see shared/fact_columns.py';
"""
"""For a service that writes many facts at once (`shared.fact_columns.rows`). Such rows live for days and are read once, so
PostgreSQL does not compress them."""

COMMANDS_TOGETHER = """
ALTER TABLE outbox DROP CONSTRAINT outbox_destination_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_destination_check
    CHECK (destination IN ('event', 'events', 'command', 'commands'));
COMMENT ON COLUMN outbox.payload IS
    'of destination events: many events of one type, see shared/fact_columns.py; of commands: many commands';
"""
"""For a service that also sends many commands at once (`shared.outbox.command_rows`); after `FACTS_TOGETHER`."""


def create_messaging_tables() -> None:
    """The outbox, inbox, dead letters, idempotency keys and staff projection; called by a service's first migration."""
    execute_script(MESSAGING)


def execute_script(sql: str) -> None:
    """Runs several statements, each ended by a semicolon at the end of a line (the driver prepares one at a time)."""
    for statement in sql.split(";\n"):
        if statement.strip():
            op.execute(sa.text(statement.replace(":", "\\:")))


def upgrade(migrations: Path, url: str) -> None:
    """Brings a database to the newest schema. Two at once wait for one another (advisory lock), so a Job may be repeated.

    Args:
        migrations: the folder with env.py and versions/.
        url: postgresql://… of the service's database, past any pooler.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def include(load: Callable[[Database], Awaitable[None]], url: str) -> None:
    """Loads the data that come with a service, which are no part of its schema: what a company has put in their place
    stays, and databases of tests go without.

    Args:
        load: does nothing if there are such data already.
        url: as for `upgrade`.
    """

    async def main() -> None:
        db = Database(url, pool_size=1)
        try:
            await load(db)
        finally:
            await db.close()

    asyncio.run(main())


def run_env(url: str, metadata: sa.MetaData) -> None:
    """The body of every service's migrations/env.py: one transaction for each migration, under an advisory lock."""
    from alembic import context
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    def run(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('chot:migrations'))"))
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()

    async def main() -> None:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(asyncpg.connect, url.replace("postgres://", "postgresql://", 1)),
            poolclass=NullPool,
        )
        async with engine.begin() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    asyncio.run(main())
