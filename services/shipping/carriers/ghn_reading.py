"""What GHN says, as reports: envelopes, details of orders, callbacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson

from services.shipping.carriers.answers import Report
from services.shipping.carriers.errors import Away, NotLetIn, UnknownOutcome, UnreadableCallback
from services.shipping.carriers.ghn_codes import CREATED, TRANSFERRED
from services.shipping.carriers.reading import integer_of, moment_of, money_of, text_of

Fields = Mapping[str, Any]

OK: Final = 200
FOREIGN: Final = frozenset(
    {"SHOP_NOT_FOUND", "CLIENT_NOT_BELONG_OF_SHOP", "CLIENT_NOT_OWNER_OF_SHOP", "TOKEN_IS_INVALID", "TOKEN_IS_REQUIRED"}
)
"""Words for credentials that do not fit together."""
NO_SUCH_ORDER: Final = ("code=404", "không tồn tại", "not found")
"""GHN has no word of its own for it, only these sentences (documentation id=66, id=67; integrations)."""
SERVER_ERROR: Final = "SERVER_ERR_COMMON"
STATUS_TYPES: Final = frozenset({"", "create", "switch_status"})
"""Types of callbacks that tell a status at its time; the others (weight, COD, fee) repeat the status of long ago."""


@dataclass(frozen=True)
class Envelope:
    """`{code, message, data}`; a refusal has a `code_message` for programs, or at least a sentence for people."""

    code: int
    message: str
    word: str
    is_explained: bool
    data: Any

    @property
    def failed(self) -> bool:
        return self.code != OK

    @property
    def is_missing(self) -> bool:
        """There is no such order."""
        return self.failed and any(sentence in self.message.lower() for sentence in NO_SUCH_ORDER)

    @property
    def is_in_doubt(self) -> bool:
        """It may have had its effect: GHN failed inside ('[online] Chưa init Redis'), or the very request is under way
        already ('Too many request. This request is processing'). Such failures come without an explanation."""
        return self.failed and not self.is_missing and (self.word == SERVER_ERROR or not self.is_explained)


def envelope_of(response: httpx.Response, *, unknown: type[UnknownOutcome] | type[Away]) -> Envelope:
    """Raises NotLetIn, and `unknown` for what is no envelope."""
    try:
        answer = orjson.loads(response.content)
        code = integer_of(answer.get("code"))
    except (orjson.JSONDecodeError, AttributeError, ValueError):
        raise unknown("the answer is no envelope") from None
    word = text_of(answer.get("code_message"))
    said = text_of(answer.get("message"))
    # A wrong token is code 401 at one gateway and, by the documentation, 'code=401' inside the message at another.
    if code in (401, 403) or word in FOREIGN or said.startswith("code=401"):
        raise NotLetIn(text_of(answer.get("code_message_value")) or said or "GHN không chấp nhận thông tin kết nối")
    shown = text_of(answer.get("code_message_value"))
    message = said if not shown or said == shown else f"{shown} ({said})" if said else shown
    return Envelope(code, message, word, bool(word or shown), answer.get("data"))


def journey_of(data: Any) -> Sequence[Report]:
    """The journey in an order's detail, oldest first, with its money at the end.

    Raises:
        ValueError: it is not an order.
    """
    order: Any = (
        data[0] if isinstance(data, list) and data else data
    )  # the documentation shows a list, servers an object
    if not isinstance(order, Mapping) or not text_of(order.get("order_code")):
        raise ValueError("no order")
    waybill, reference = text_of(order["order_code"]), text_of(order.get("client_order_code"))
    log = order.get("log")
    steps = list(_steps(order, log if isinstance(log, list) else []))
    status = text_of(order.get("status")).lower()
    if not status:
        raise ValueError("an order without a status")
    if not steps or steps[-1][0] != status:
        steps.append((status, _instant(text_of(order.get("updated_date"))), ""))
    if (transferred := _transfer(order)) is not None:
        steps.append((TRANSFERRED, max(transferred, steps[-1][1]), ""))
    last = len(steps) - 1
    partial = order.get("is_partial_return") in (True, "true")
    return tuple(
        Report(
            waybill=waybill,
            reference=reference,
            raw_status=raw_status,
            at=at,
            reason_code=reason,
            partial=partial and number == last,
            collected=money_of(order.get("cod_amount")) if number == last else None,
            fee=_fee(order) if number == last else None,
        )
        for number, (raw_status, at, reason) in enumerate(steps)
    )


def _steps(order: Fields, log: Sequence[Any]) -> Iterator[tuple[str, datetime, str]]:
    if created := text_of(order.get("created_date")):
        yield CREATED, _instant(created), ""
    for step in log:
        if isinstance(step, Mapping) and (status := text_of(step.get("status")).lower()):
            at = _instant(text_of(step.get("updated_date")))
            yield status, at, text_of(step.get("reason_code"))


def _transfer(order: Fields) -> datetime | None:
    """When the COD was paid out."""
    if order.get("is_cod_transferred") not in (True, "true"):
        return None
    try:
        return _instant(text_of(order.get("cod_transfer_date")))
    except ValueError:  # paid out, but nobody has entered the day yet
        return _instant(text_of(order.get("updated_date")))


def _fee(order: Fields) -> int | None:
    total = money_of(order.get("total_fee"))
    if total is not None:
        return total
    parts = order.get("fee")
    if not isinstance(parts, Mapping):
        return None
    return sum(amount for part in parts.values() if (amount := money_of(part)) is not None)


def callback_of(body: bytes) -> Sequence[Report]:
    """The reports in a callback: one JSON object, or a list of them. Names of fields in any case.

    Raises:
        UnreadableCallback: it is not what GHN documents.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnreadableCallback("the body is not JSON") from None
    changes = content if isinstance(content, list) else [content]
    return tuple(report for change in changes for report in _callback(change))


def _callback(content: Any) -> Iterator[Report]:
    if not isinstance(content, Mapping):
        raise UnreadableCallback("the body is not an object")
    fields = {str(name).lower(): value for name, value in content.items()}
    waybill = text_of(fields.get("ordercode"))
    if not waybill:
        raise UnreadableCallback("OrderCode is missing")
    reference = text_of(fields.get("clientordercode"))
    at = _moment(fields, "time")
    if text_of(fields.get("type")).lower() in STATUS_TYPES:
        status = text_of(fields.get("status")).lower()
        if not status:
            raise UnreadableCallback("Status is missing")
        yield Report(
            waybill=waybill,
            reference=reference,
            raw_status=status,
            at=at,
            reason_code=text_of(fields.get("reasoncode")),
            reason=text_of(fields.get("reason")),
            partial=fields.get("ispartialreturn") is True,
        )
    if text_of(fields.get("codtransferdate")):
        yield Report(waybill=waybill, reference=reference, raw_status=TRANSFERRED, at=_transfer_told(fields, at))


def _transfer_told(fields: Fields, at: datetime) -> datetime:
    """A date without a time is a day of Vietnam, which begins before what was delivered on it: then what tells it counts."""
    transferred = _moment(fields, "codtransferdate")
    return transferred if ":" in text_of(fields["codtransferdate"]) else max(transferred, at)


def _moment(fields: Fields, name: str) -> datetime:
    try:
        return _instant(text_of(fields.get(name)))
    except ValueError:
        raise UnreadableCallback(f"{name} is not a moment") from None


def _instant(text: str) -> datetime:
    """GHN's times are UTC; a date alone is a day of Vietnam, from its beginning."""
    return moment_of(text, zone=UTC) if ":" in text else moment_of(text)
