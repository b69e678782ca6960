"""NATS JetStream: the connection, the streams and the consumers, ensured and compared with what was asked."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shared.contracts.events import STREAM_OF
from shared.retention import STREAM_AGE
from shared.telemetry import logger

log = logger(__name__)

MINIMUM_SERVER: Final = (2, 12)
"""Older servers ignore newer settings without a word (multiple filters, sync_interval), so they are refused."""

ANSWERS_WITHIN: Final = 1
"""Seconds; a ping takes less than a millisecond."""
DUPLICATE_WINDOW: Final = timedelta(minutes=2)
ACK_WAIT: Final = timedelta(seconds=30)
MAX_ACK_PENDING: Final = 1000
"""Batch size × handling time must stay below ACK_WAIT; consumers fetch at most 200 at a time."""


class UnsuitableServer(RuntimeError):
    """The NATS server is too old or has no JetStream."""


class Drift(RuntimeError):
    """A stream or consumer exists with a configuration that differs from what was asked and cannot be changed."""


async def connect(url: str, *, name: str) -> Client:
    """Connects for good: after the first success the client reconnects for ever.

    Raises:
        OSError, nats.errors.Error: not reachable now.
        UnsuitableServer: older than 2.12 or without JetStream.
    """

    async def on_error(error: Exception) -> None:
        log.warning("NATS reported an error", error=repr(error))

    async def on_disconnect() -> None:
        log.warning("NATS connection lost")

    async def on_reconnect() -> None:
        log.info("NATS connection restored")

    client = await nats.connect(
        servers=url.split(","),
        name=name,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,
        connect_timeout=2,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
    )
    version = client.connected_server_version
    if (version.major, version.minor) < MINIMUM_SERVER:
        # Not the whole address: it may hold a password.
        host = client.connected_url.hostname if client.connected_url is not None else "?"
        await client.close()
        raise UnsuitableServer(
            f"NATS {version} at {host} is too old: Chốt needs {MINIMUM_SERVER[0]}.{MINIMUM_SERVER[1]} or newer."
        )
    return client


class Links:
    """The open connections of a process, by the role that opened them, so that it can say whether NATS answers."""

    def __init__(self) -> None:
        self._held: dict[str, Client] = {}

    def opened(self, role: str, connection: Client) -> None:
        self._held[role] = connection

    def closed(self, role: str) -> None:
        self._held.pop(role, None)

    def check(self, roles: Collection[str], *, url: str) -> Callable[[], Awaitable[None]]:
        """A check that raises unless the server answers on the connection of each of these roles."""

        async def check() -> None:
            for role in roles:
                held = self._held.get(role)
                if held is None:  # the role starts again, perhaps because of another engine
                    await _reach(url)
                elif held.is_connected:
                    await held.flush(timeout=ANSWERS_WITHIN)  # a server that hangs keeps its connections open
                else:
                    raise ConnectionError(f"the {role} has lost its connection to NATS")

        return check


async def _reach(url: str) -> None:
    """
    Raises:
        OSError, nats.errors.Error: nobody answers there.
    """

    async def ignore(_: Exception) -> None:
        """What went wrong is raised as well."""

    client = await nats.connect(
        servers=url.split(","), allow_reconnect=False, connect_timeout=ANSWERS_WITHIN, error_cb=ignore
    )
    await client.close()


def stream_config(service: str, *, replicas: int = 1) -> StreamConfig:
    """The stream that holds a service's events, on so many servers."""
    return StreamConfig(
        name=STREAM_OF[service],
        subjects=[f"{service}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=STREAM_AGE.total_seconds(),
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
        allow_direct=True,
        num_replicas=replicas,
    )


def consumer_config(durable: str, subjects: list[str]) -> ConsumerConfig:
    """A durable pull consumer for some event types of one stream.

    `max_deliver` is unlimited and there is no back-off here: attempts are counted in our database, because delivery
    counts can go back when the server crashes.
    """
    return ConsumerConfig(
        durable_name=durable,
        filter_subjects=sorted(subjects),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT.total_seconds(),
        deliver_policy=DeliverPolicy.ALL,
        max_deliver=-1,
        max_ack_pending=MAX_ACK_PENDING,
    )


async def ensure_streams(js: JetStreamContext, *, replicas: int = 1) -> None:
    """Creates or updates every stream and compares what the server returns with what was asked.

    Args:
        replicas: servers that hold each message; all who ensure streams must say the same.

    Raises:
        Drift: an existing stream differs in something that cannot be changed.
    """
    for service in STREAM_OF:
        wanted = stream_config(service, replicas=replicas)
        try:
            info = await js.stream_info(str(wanted.name))
        except NotFoundError:
            info = await js.add_stream(wanted)
        if differences(wanted, info.config):
            info = await js.update_stream(wanted)
        _compare(f"stream {wanted.name}", wanted, info.config)


async def ensure_consumer(js: JetStreamContext, stream: str, durable: str, subjects: list[str]) -> None:
    """Creates or updates a durable consumer and compares what the server returns with what was asked.

    Raises:
        Drift: the server holds something else than what was asked.
    """
    wanted = consumer_config(durable, subjects)
    info = await js.add_consumer(stream, wanted)
    _compare(f"consumer {stream}/{durable}", wanted, info.config)


def differences(wanted: Any, actual: Any) -> dict[str, tuple[Any, Any]]:
    """Fields asked for that the server holds otherwise: name → (asked, held)."""
    found: dict[str, tuple[Any, Any]] = {}
    for field in wanted.__dataclass_fields__:
        asked, held = getattr(wanted, field), getattr(actual, field)
        if asked is None:
            continue
        if isinstance(asked, list):
            asked, held = sorted(asked), sorted(held or [])
        if asked != held and not (asked in (0, False, "", -1) and held in (None, 0, False, "", -1)):
            found[field] = (asked, held)
    return found


def _compare(what: str, wanted: Any, actual: Any) -> None:
    found = differences(wanted, actual)
    if found:
        listed = "; ".join(f"{name}: asked {asked!r}, holds {held!r}" for name, (asked, held) in found.items())
        raise Drift(f"The {what} is not as asked: {listed}.")


def is_subject(text: str) -> bool:
    """Whether a text is one of our event type names, hence a literal subject without wildcards."""
    return re.fullmatch(r"[a-z_]+\.[a-z_]+\.[a-z_]+\.v\d+", text) is not None
