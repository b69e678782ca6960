"""A telephone system as Stringee is: its call events (https://developer.stringee.com/docs/server/call-events) and its REST
call (https://developer.stringee.com/docs/rest-api-reference/call-rest-api-make-outbound-call)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import httpx
import orjson

CALLOUT: Final = "/v1/call2/callout"
_numbers = count(1_515_820_305_477)


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

    # --- REST ---------------------------------------------------------------------------------------------------------

    def callout(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """What is answered to `POST /v1/call2/callout`; what was asked for is kept in `asked`."""
        if headers.get("X-STRINGEE-AUTH") != self.token:
            return {"r": 6, "message": "Authentication failed"}
        self.asked.append(orjson.loads(body))
        return self.answer

    def client(self) -> httpx.AsyncClient:
        """A client whose requests reach this project, without a network."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._callout), timeout=1)

    def _callout(self, request: httpx.Request) -> httpx.Response:
        if self.status == 0:
            raise httpx.ReadTimeout("nothing came back", request=request)
        if request.url.path != CALLOUT or request.method != "POST":
            return httpx.Response(404)
        answer = self.callout(request.headers, request.content)
        return httpx.Response(self.status if answer is self.answer else 200, json=answer)
