"""Structured logs with one correlation id from request to activity, and the process's metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram
from structlog.contextvars import bind_contextvars
from uuid_utils import uuid7

PERSONAL_KEYS: Final = frozenset(
    {"phone", "phones", "other_phones", "name", "recipient", "address", "email", "body", "payload", "note", "text"}
)
SECRET_KEYS: Final = frozenset({"password", "token", "secret", "authorization", "api_key", "credentials"})

# Not structlog's own context, which looks through every variable of the process at each use.
_CORRELATION: Final = ContextVar("correlation_id", default="")
_CAUSATION: Final = ContextVar("causation_id", default="")

HTTP_SECONDS = Histogram(
    "chot_http_request_seconds", "Time to answer a request", ["service", "method", "route", "status"]
)
OUTBOX_SENT = Counter("chot_outbox_sent_total", "Outbox rows delivered", ["service", "destination"])
OUTBOX_FAILED = Counter("chot_outbox_failed_total", "Outbox deliveries that failed", ["service", "destination"])
OUTBOX_PENDING = Gauge("chot_outbox_pending", "Outbox rows waiting", ["service", "destination"])
EVENTS_HANDLED = Counter("chot_events_handled_total", "Events applied", ["service", "type"])
EVENTS_FAILED = Counter("chot_events_failed_total", "Event handlings that failed", ["service", "type"])
PROMISES_DROPPED = Gauge("chot_promises_dropped", "Promises and orders that nothing comes back to", ["kind"])
DEAD_LETTERS = Counter("chot_dead_letters_total", "Messages set aside for a person", ["service", "source"])


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Personal data and secrets never reach a log, whoever forgets it."""
    for key in event.keys() & (PERSONAL_KEYS | SECRET_KEYS):
        event[key] = "[redacted]"
    if "exception" in event:
        # PostgreSQL repeats the offending values in DETAIL.
        event["exception"] = "\n".join(
            line for line in str(event["exception"]).splitlines() if not line.lstrip().startswith("DETAIL:")
        )
    return event


def _correlate(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for variable in (_CORRELATION, _CAUSATION):
        if value := variable.get():
            event.setdefault(variable.name, value)
    return event


def configure_logging(service: str, role: str, *, format: str = "json", level: str = "info") -> None:
    """Sets up structlog and routes the standard library's loggers through it, to standard error."""
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value, default=str).decode())
        if format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _correlate,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What the level does not let through is dropped before anything is spent on it: every request has a debug line.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access", "nats"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    bind_contextvars(service=service, role=role)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; event names are sentences, facts are keyword arguments."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


def correlation_id() -> str:
    """The id that joins everything one cause led to; a new one where there is none yet."""
    return _CORRELATION.get() or str(uuid7())


def causation_id() -> str:
    """The event or request that is being handled, or ''."""
    return _CAUSATION.get()


@contextmanager
def correlated(correlation: str, *, causation: str = "") -> Iterator[None]:
    """Everything logged, emitted or called inside belongs to this correlation id."""
    outer = _CORRELATION.set(correlation), _CAUSATION.set(causation)
    try:
        yield
    finally:
        _CORRELATION.reset(outer[0])
        _CAUSATION.reset(outer[1])
