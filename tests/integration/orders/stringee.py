"""A telephone system as Stringee is: its call events (https://developer.stringee.com/docs/server/call-events), its REST
call, and a network between it and us that loses, doubles, shuffles and delays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import orjson

_numbers = count(1_515_820_305_477)


@dataclass
class Network:
    """What may happen to an event between Stringee and us. A lost one is sent again, as after a time-out, in a later round."""

    lost: float = 0.0
    doubled: float = 0.0
    shuffled: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def rounds(self, events: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """The deliveries: each event at least once by the last round."""
        first, later = [], []
        for event in events:
            if self.chance.random() < self.lost:
                later.append(event)
            else:
                first.append(event)
                if self.chance.random() < self.doubled:
                    (first if self.chance.random() < 0.5 else later).append(event)
        if self.shuffled:
            self.chance.shuffle(first)
            self.chance.shuffle(later)
        return [first, later]


@dataclass
class Stringee:
    """One project at Stringee, with its number and its users."""

    hook_url: str = ""
    number: str = "842471008888"
    token: str = "jwt-of-the-project"
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    answer: dict[str, Any] = field(default_factory=lambda: {"r": 0})

    def call_id(self) -> str:
        return f"call-vn-1-ZD3IDIXS1J-{next(_numbers)}"

    def outgoing(
        self,
        user: str,
        phone: str,
        *,
        at: datetime,
        rings: float = 12,
        talks: float | None = None,
        cause: str = "",
        call_id: str | None = None,
        custom: str = "",
    ) -> list[dict[str, Any]]:
        """The events of a call that a user makes; without `talks` nobody answers."""
        return self._events(
            call_id or self.call_id(),
            source={"number": self.number, "alias": user, "is_online": True, "type": "internal"},
            target={"number": phone, "alias": phone, "is_online": False, "type": "external"},
            user=user,
            at=at,
            rings=rings,
            talks=talks,
            cause=cause,
            reason="CLIENT_MAKE_CALL",
            custom=custom,
        )

    def incoming(
        self,
        phone: str,
        user: str,
        *,
        at: datetime,
        rings: float = 12,
        talks: float | None = None,
        cause: str = "",
        call_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """The events of a call from outside that rings at a user."""
        return self._events(
            call_id or self.call_id(),
            source={"number": phone, "alias": phone, "is_online": False, "type": "external"},
            target={"number": user, "alias": self.number, "is_online": True, "type": "internal"},
            user="",
            at=at,
            rings=rings,
            talks=talks,
            cause=cause,
            reason="EXTERNAL_CALL_IN",
            custom="",
        )

    def _events(
        self,
        call_id: str,
        *,
        source: dict[str, Any],
        target: dict[str, Any],
        user: str,
        at: datetime,
        rings: float,
        talks: float | None,
        cause: str,
        reason: str,
        custom: str,
    ) -> list[dict[str, Any]]:
        def event(status: str, seconds: float, **more: Any) -> dict[str, Any]:
            return {
                "call_status": status,
                "project_id": 25,
                "request_from_user_id": user,
                "account_sid": "ACab9b9bcf6391c6af9fe1663c729e3a6b",
                "timestamp_ms": int((at + timedelta(seconds=seconds)).timestamp() * 1000),
                "from": source,
                "to": target,
                "clientCustomData": custom,
                "type": "stringee_call",
                "call_id": call_id,
                **more,
            }

        ends = rings + (talks or 0)
        events = [event("created", 0), event("started", 0.5), event("ringing", 2)]
        if talks is not None:
            events += [event("answered", rings), event("agentEnded", ends)]
        end = {
            "callCreatedReason": reason,
            "endCallCause": cause or ("USER_END_CALL" if talks is not None else "408 Request Timeout"),
            "endedBy": "EXTERNAL",
            "callType": "CALL",
            "duration": int(ends),
            "answerDuration": int(talks or 0),
        }
        return [*events, event("ended", ends, **end)]

    # --- REST: https://developer.stringee.com/docs/rest-api-reference/call-rest-api-make-outbound-call ------------------

    def client(self) -> httpx.AsyncClient:
        """A client whose requests reach this project."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._callout), timeout=1)

    def _callout(self, request: httpx.Request) -> httpx.Response:
        if self.status == 0:
            raise httpx.ReadTimeout("nothing came back", request=request)
        if request.url.path != "/v1/call2/callout" or request.method != "POST":
            return httpx.Response(404)
        if request.headers.get("X-STRINGEE-AUTH") != self.token:
            return httpx.Response(200, json={"r": 6, "message": "Authentication failed"})
        self.asked.append(orjson.loads(request.content))
        return httpx.Response(self.status, json=self.answer)
