"""J&T Express Vietnam in basic form: creation, cancellation, tracking and fee over its form interface.

Known from public integrations only (the documents are given with the contract): each call is a form with the message as
JSON text and a digest over it and the key; weights are kilograms; `txlogisticid` is its key against duplicates; flags are
texts; a reference that is taken is a success with the reason S10, or a refusal that is told by its words alone. It cannot
be asked by our reference, but cancels by it, so a parcel that is there without a known waybill is cancelled and made again.
Scans of a parcel stand in `tracesList[].details[]`; what the code of one is called differs from one integration to another,
and one that is no number is kept as it is, for a person to say what it means.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import orjson

from services.shipping.carriers.access import Credential
from services.shipping.carriers.answers import (
    AlreadyThere,
    CallbackMessage,
    Cancellation,
    CancelOutcome,
    Created,
    FeeQuote,
    Report,
)
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import AdoptBy, Capabilities, Settlement
from services.shipping.carriers.codes import CodeTable
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome, UnreadableCallback
from services.shipping.carriers.jnt_codes import CODES
from services.shipping.carriers.parcel import Parcel
from services.shipping.carriers.reading import VIETNAM, integer_of, moment_of, money_of, text_of
from shared.phone.masking import national

ORDER: Final = "/order/orderAction!createOrder.action"
TRACK: Final = "/standart/trackAction!trackForJson.action"
FREIGHT: Final = "/jtpos/inquiry!freight.action"
GRAMS: Final = 1000
PREPAID: Final = "PP_PM"
"""The shop pays the fee, by month."""
TAKEN: Final = "S10"
"""The reason when `txlogisticid` is taken, with `success` of either kind."""
DUPLICATE: Final = ("DUPLICATE", "EXIST", "REPEAT", "TRÙNG", "TỒN TẠI")
"""What stands in its place in words …"""
ABSENT: Final = ("NOT EXIST", "KHÔNG TỒN TẠI", "CHƯA TỒN TẠI")
"""… unless it says that something is not there."""
WRONG_ACCESS: Final = ("S02", "S03", "B038", "B041", "B042")
"""The digest, the company or the customer is not accepted."""
PICK_UP_WITHIN: Final = timedelta(days=1)
SCAN_CODES: Final = ("scantypecode", "scancode", "scantype")


class JntExpress(Carrier):
    """One customer of J&T Express Vietnam."""

    name: ClassVar[str] = "jnt"
    title: ClassVar[str] = "J&T Express"
    default_url: ClassVar[str] = "https://sellapp.jtexpress.vn/yuenan-interface-web"
    credentials: ClassVar[tuple[Credential, ...]] = (
        Credential("company_id", "eccompanyid trong hợp đồng J&T", "eccompanyid of the contract with J&T"),
        Credential("customer_id", "customerid trong hợp đồng J&T", "customerid of the contract with J&T"),
        Credential("key", "Khóa ký dữ liệu do J&T cấp", "Key for digests, given by J&T"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        adopt_by=AdoptBy.REPEAT, fee_quote=True, callbacks=False, settlement=Settlement.STATEMENT
    )
    codes: ClassVar[CodeTable] = CODES

    async def test(self) -> None:
        await self._scans("TEST")

    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        item = await self._order("ORDERCREATE", self._creation(parcel), unknown=UnknownOutcome)
        reason = text_of(item.get("reason"))
        waybill = text_of(item.get("billcode"))
        if _is_taken(reason):
            return AlreadyThere(waybill)
        if not _is_true(item.get("success")):
            raise Refused(reason or "J&T không nói lý do")
        if not waybill:
            raise UnknownOutcome("created without a waybill")
        return Created(waybill, "103", fee=_fee(item) or 0, sort_code=text_of(item.get("dispatchsite")))

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        change = {
            "txlogisticid": reference,
            "fieldname": "status",
            "fieldvalue": "WITHDRAW",
            "remark": "cancelled by the shop",
        }
        body = {**self._account(), "txlogisticid": reference, "fieldlist": [change]}
        item = await self._order("UPDATE", body, unknown=Away)
        journey = await self.track(waybill) if waybill else ()
        report = journey[-1] if journey else None
        meaning = self.codes.statuses.get(report.raw_status) if report else None
        if meaning is not None and meaning.status == "cancelled":
            return Cancellation(CancelOutcome.CANCELLED, report)
        if _is_true(item.get("success")):
            return Cancellation(CancelOutcome.REQUESTED, report)
        return Cancellation(CancelOutcome.REFUSED, report)

    async def track(self, waybill: str) -> Sequence[Report]:
        reports = []
        for scan in await self._scans(waybill):
            try:
                at = moment_of(scan.get("scantime"))
            except ValueError:
                raise Away("a scan cannot be read") from None
            if raw_status := _code_of(scan):
                reason = text_of(scan.get("desc")) or text_of(scan.get("remark"))
                reports.append(Report(waybill, "", raw_status, at, reason=reason))
        return sorted(reports, key=lambda report: report.at)

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        answer = await self._ask(
            FREIGHT,
            "FREIGHTQUERY",
            {
                "selfAddress": 1,
                "cusname": self.access.credentials["customer_id"],
                "sender": _place(parcel.pick_up.province, parcel.pick_up.district, parcel.pick_up.ward),
                "receiver": _place(parcel.to.province, parcel.to.district, parcel.to.ward),
                "weight": f"{parcel.weight_grams / GRAMS:.3f}",
                "goodsvalue": str(parcel.value if parcel.options.insured else 0),
                "itemsvalue": str(parcel.cod),
                "feetype": "CHARGE",
                "producttype": parcel.options.service or "EZ",
            },
            unknown=Away,
        )
        item = _first(answer, unknown=Away)
        fee = _fee(item)
        if not _is_true(item.get("success")) or fee is None:
            raise Refused(text_of(item.get("reason")) or "J&T không giao tuyến này")
        return (FeeQuote(service="", title="J&T Express", fee=fee),)

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        raise UnreadableCallback("J&T documents no callbacks")

    def _creation(self, parcel: Parcel) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            **self._account(),
            "txlogisticid": parcel.reference,
            "ordertype": "1",
            "servicetype": parcel.options.service or "1",
            "sender": _party(
                parcel.pick_up.name,
                parcel.pick_up.phone,
                (parcel.pick_up.province, parcel.pick_up.district, parcel.pick_up.ward, parcel.pick_up.detail),
            ),
            "receiver": _party(
                parcel.recipient,
                parcel.phone,
                (parcel.to.province, parcel.to.district, parcel.to.ward, parcel.to.detail),
            ),
            "createordertime": _local(now),
            "sendstarttime": _local(now),
            "sendendtime": _local(now + PICK_UP_WITHIN),
            "paytype": PREPAID,
            "itemsvalue": str(parcel.cod),
            "goodsvalue": str(parcel.value),
            "isInsured": "1" if parcel.options.insured else "0",
            "items": [
                {"itemname": line.name, "number": str(line.quantity), "itemvalue": str(line.unit_price)}
                for line in parcel.lines
            ],
            "weight": f"{parcel.weight_grams / GRAMS:.3f}",
            "remark": self.fit_note(parcel.note),
        }

    def _account(self) -> dict[str, Any]:
        credentials = self.access.credentials
        return {
            "eccompanyid": credentials["company_id"],
            "customerid": credentials["customer_id"],
            "logisticproviderid": "JNT",
        }

    async def _scans(self, waybill: str) -> Sequence[Mapping[str, Any]]:
        answer = await self._ask(TRACK, "TRACKQUERY", {"billcode": waybill, "lang": "vn"}, unknown=Away)
        item = _first(answer, unknown=Away, may_be_empty=True)
        return [scan for trace in _objects(item.get("traceslist")) for scan in _objects(trace.get("details"))]

    async def _order(
        self, kind: str, body: dict[str, Any], *, unknown: type[UnknownOutcome] | type[Away]
    ) -> Mapping[str, Any]:
        return _first(await self._ask(ORDER, kind, body, unknown=unknown), unknown=unknown)

    async def _ask(
        self, path: str, kind: str, body: dict[str, Any], *, unknown: type[UnknownOutcome] | type[Away]
    ) -> dict[str, Any]:
        message = orjson.dumps(body).decode()
        fields = {
            "logistics_interface": message,
            "data_digest": digest(message, self.access.credentials["key"]),
            "msg_type": kind,
            "eccompanyid": self.access.credentials["company_id"],
        }
        response = await self.send("POST", path, form=fields, unknown=unknown)
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise unknown("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise unknown("the answer is no object")
        return answer


def digest(message: str, key: str) -> str:
    """Base64 of the hexadecimal text of the MD5 of message and key: J&T's own scheme, no protection of ours."""
    return base64.b64encode(hashlib.md5((message + key).encode(), usedforsecurity=False).hexdigest().encode()).decode()


def _first(
    answer: Mapping[str, Any], *, unknown: type[UnknownOutcome] | type[Away], may_be_empty: bool = False
) -> Mapping[str, Any]:
    items = answer.get("responseitems")
    if isinstance(items, list) and items and isinstance(items[0], dict):
        item: Mapping[str, Any] = _objects(items)[0]
        if text_of(item.get("reason")).upper() in WRONG_ACCESS:
            raise NotLetIn(text_of(item.get("reason")))
        return item
    if may_be_empty and isinstance(items, list):
        return {}
    raise unknown("the answer has no items")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; the names of their fields, which integrations spell in both ways, in small letters."""
    rows = value if isinstance(value, list) else []
    return [{str(name).lower(): each for name, each in row.items()} for row in rows if isinstance(row, dict)]


def _is_taken(reason: str) -> bool:
    said = reason.upper()
    if any(word in said for word in ABSENT):
        return False
    return said == TAKEN or any(word in said for word in DUPLICATE)


def _fee(item: Mapping[str, Any]) -> int | None:
    """Of the delivery, with its insurance."""
    delivery = money_of(item.get("inquiryfee"))
    return None if delivery is None else delivery + (money_of(item.get("insurancefee")) or 0)


def _code_of(scan: Mapping[str, Any]) -> str:
    """A scan's code as the table has it, or what stands in its place."""
    said = next(filter(None, (text_of(scan.get(name)) for name in SCAN_CODES)), "")
    try:
        return str(integer_of(said))
    except ValueError:
        return said


def _local(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}"


def _party(name: str, phone: str, place: tuple[str, str, str, str]) -> dict[str, str]:
    *names, detail = place
    local = national(phone)
    return {"name": name, "phone": local, "mobile": local, **_place(*names), "address": detail}


def _place(province: str, district: str, ward: str) -> dict[str, str]:
    """Of a two-tier address the ward stands where the district was, so that it is not lost."""
    return {"prov": province, "city": district or ward, "area": ward}


def _is_true(value: Any) -> bool:
    return value is True or text_of(value).lower() == "true"
