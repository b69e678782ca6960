"""Streams of server-sent events: what a screen of this service must show at once."""

from __future__ import annotations

from typing import Any, Final, cast

from fastapi import Request

from shared.service import Runtime
from shared.streams import Streams, Topic

STREAMS: Final = "streams"
"""Name of the streams in the runtime's state."""


def streams_of(runtime: Runtime[Any]) -> Streams:
    return cast(Streams, runtime.state[STREAMS])


def streams(request: Request) -> Streams:
    """The streams of a request's service; `streams.hints.tell(topic)` after the commit says that a topic has changed."""
    return streams_of(cast("Runtime[Any]", request.app.state.runtime))


def by_name(*topics: Topic) -> dict[str, Topic]:
    return {topic.name: topic for topic in topics}
