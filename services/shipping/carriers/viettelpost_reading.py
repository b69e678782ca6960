"""Reading what ViettelPost sends: one envelope, names in several spellings, local times, and callbacks in wrappers.

Sources: the partner document (envelope, `ORDER_STATUSDATE`), captures and models of public integrations (wrappers, fields
added since). Names are compared without case and underscores: `MONEY_TOTALFEE` and `MONEY_TOTAL_FEE` are one field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx
import orjson

from services.shipping.carriers.answers import Report
from services.shipping.carriers.errors import Away, UnknownOutcome, UnreadableCallback
from services.shipping.carriers.reading import VIETNAM, integer_of, moment_of, text_of
from services.shipping.carriers.viettelpost_codes import code_of

OK: Final = 200
DATE_FORMATS: Final = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y")
"""ViettelPost's own, in Vietnam's time and without a zone; newer services write ISO 8601."""
MAX_REPORTS: Final = 200
"""Of one callback: a journey has about twenty."""
NO_REASON: Final = "ViettelPost không nói lý do"

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Envelope:
    """An answer.

    Args:
        failed: it says so in any of its ways, whatever the HTTP status.
        message: its sentences, joined where it sends a list.
        data: what was asked for: as a rule an object or a list.
    """

    failed: bool
    message: str
    data: Any


def envelope_of(response: httpx.Response, *, unknown: type[UnknownOutcome] | type[Away]) -> Envelope:
    """Reads an answer. Failures come on HTTP 200 with `error: true` as often as not, prices without any envelope.

    Args:
        unknown: what to raise where it cannot be read.
    """
    if response.is_redirect:  # seen of registerOrderHook, which sends some accounts to itself
        raise unknown("redirected")
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise unknown("the answer is not JSON") from None
    if isinstance(answer, list):
        return Envelope(failed=response.is_error, message="", data=answer)
    if not isinstance(answer, dict):
        raise unknown("the answer is no envelope")
    fields = fields_of(answer)
    if "error" not in fields and "status" not in fields:
        raise unknown("the answer is no envelope")
    failed = response.is_error or is_true(fields.get("error")) or _status(fields) != OK
    return Envelope(failed=failed, message=_message(fields.get("message")), data=fields.get("data"))


def _status(fields: Fields) -> int:
    try:
        return integer_of(fields.get("status", OK))
    except ValueError:
        return 0


def _message(value: Any) -> str:
    if isinstance(value, list):
        return text_of("; ".join(filter(None, map(text_of, value)))) or NO_REASON
    return text_of(value) or NO_REASON


def fields_of(value: Any) -> Fields:
    """An object's fields by their plain names; of anything else none."""
    return {_plain(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def rows_of(value: Any) -> list[Fields]:
    """The objects in a list, or the one object that stands in place of a list."""
    rows = value if isinstance(value, list) else [value]
    return [fields_of(row) for row in rows if isinstance(row, dict)]


def _plain(name: Any) -> str:
    return str(name).replace("_", "").lower()


def is_true(value: Any) -> bool:
    """true, 1, '1', 'true' in any case."""
    return value is True or text_of(value).lower() in ("1", "true")


def time_of(value: Any) -> datetime:
    """'21/11/2026 17:34:05' in Vietnam's time, or ISO 8601, in UTC.

    Raises:
        ValueError: it is neither.
    """
    text = text_of(value)
    for pattern in DATE_FORMATS:
        try:
            return moment_of(datetime.strptime(text, pattern).replace(tzinfo=VIETNAM).isoformat())
        except ValueError:
            continue
    return moment_of(text)


def callbacks_of(body: bytes) -> Iterator[tuple[Fields, str]]:
    """The reports in a callback's body, each with the secret that it bears (empty where it bears none).

    Documented is {"DATA": {…}, "TOKEN": "…"}. Seen besides: the fields without a wrapper, DATA as a list or as text, and a
    list of any of these from senders in between.

    Raises:
        UnreadableCallback: nothing of the kind.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UnreadableCallback("the body is not complete JSON") from None
    found = 0
    for outer in rows_of(content):
        token = text_of(outer.get("token"))
        data = outer.get("data", outer)
        if isinstance(data, str):
            try:
                data = orjson.loads(data)
            except orjson.JSONDecodeError:
                raise UnreadableCallback("DATA is text, but not JSON") from None
        for row in rows_of(data):
            found += 1
            if found > MAX_REPORTS:
                raise UnreadableCallback("more reports in one callback than a journey has")
            yield row, token
    if not found:
        raise UnreadableCallback("the body holds no report")


def report_of(fields: Fields) -> Report:
    """One report, without its money: nobody signs a callback.

    Raises:
        UnreadableCallback: a field that every report needs is missing or unreadable.
    """
    waybill = text_of(fields.get("ordernumber"))
    if not waybill:
        raise UnreadableCallback("ORDER_NUMBER is missing")
    try:
        number = integer_of(fields.get("orderstatus"))
    except ValueError:
        raise UnreadableCallback("ORDER_STATUS is not a number") from None
    try:
        at = time_of(fields.get("orderstatusdate"))
    except ValueError:
        raise UnreadableCallback("ORDER_STATUSDATE is not a moment") from None
    return Report(
        waybill=waybill,
        reference=text_of(fields.get("orderreference")),
        raw_status=code_of(number, returning=is_true(fields.get("isreturning"))),
        at=at,
        reason_code=text_of(fields.get("reasoncode")),
        reason=text_of(fields.get("note")),
        promised_at=_promised(fields.get("expecteddeliverydate")),
    )


def _promised(value: Any) -> datetime | None:
    """EXPECTED_DELIVERY_DATE, whose format nobody documents; None where it cannot be read."""
    if value is None:
        return None
    try:
        return time_of(value)
    except ValueError:
        return None
