"""J&T Express Vietnam in basic form: creation, cancellation, tracking and fee over its form interface.

Known from public integrations only (the documents are given with the contract): each call is a form with the message as
JSON text and a digest over it and the key; weights are kilograms; `txlogisticid` is its key against duplicates; flags are
texts. Whether a refusal means a duplicate is told by its words alone. It cannot be asked by our reference, but cancels by
it, so a parcel that is there without a known waybill is cancelled and made again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
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
from services.shipping.carriers.reading import integer_of, local_phone, moment_of, money_of, text_of

ORDER: Final = "/order/orderAction!createOrder.action"
TRACK: Final = "/standart/trackAction!trackForJson.action"
FREIGHT: Final = "/jtpos/inquiry!freight.action"
GRAMS: Final = 1000
PREPAID: Final = "PP_PM"
"""The shop pays the fee, by month."""
DUPLICATE: Final = ("S10", "DUPLICATE", "EXIST", "REPEAT", "TRÙNG", "TỒN TẠI")
"""What stands in the reason when `txlogisticid` is taken; J&T documents none of it."""
WRONG_DIGEST: Final = ("S02", "S03")
"""The digest, or the company, is not accepted."""


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
        if _is_true(item.get("success")):
            if not waybill:
                raise UnknownOutcome("created without a waybill")
            sort_code = text_of(item.get("dispatchSite"))
            return Created(waybill, "103", fee=money_of(item.get("inquiryFee")) or 0, sort_code=sort_code)
        if any(word in reason.upper() for word in DUPLICATE):
            return AlreadyThere(waybill)
        raise Refused(reason or "J&T không nói lý do")

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        change = {
            "txlogisticid": reference,
            "fieldname": "status",
            "fieldvalue": "WITHDRAW",
            "remark": "cancelled by the shop",
        }
        body = {"eccompanyid": self.access.credentials["company_id"], "fieldlist": [change]}
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
                raw_status, at = str(integer_of(scan.get("scancode"))), moment_of(scan.get("scantime"))
            except ValueError:
                raise Away("a scan cannot be read") from None
            reports.append(Report(waybill, "", raw_status, at, reason=text_of(scan.get("remark"))))
        return sorted(reports, key=lambda report: report.at)

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        answer = await self._ask(
            FREIGHT,
            "FREIGHTQUERY",
            {
                "customerid": self.access.credentials["customer_id"],
                "sendprov": parcel.pick_up.province,
                "sendcity": parcel.pick_up.district or parcel.pick_up.ward,
                "receiveprov": parcel.to.province,
                "receivecity": parcel.to.district or parcel.to.ward,
                "weight": parcel.weight_grams / GRAMS,
                "goodsvalue": parcel.value if parcel.options.insured else 0,
                "itemsvalue": parcel.cod,
            },
            unknown=Away,
        )
        item = _first(answer, unknown=Away)
        fee = money_of(item.get("inquiryFee"))
        if not _is_true(item.get("success")) or fee is None:
            raise Refused(text_of(item.get("reason")) or "J&T không giao tuyến này")
        return (FeeQuote(service="", title="J&T Express", fee=fee),)

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        raise UnreadableCallback("J&T documents no callbacks")

    def _creation(self, parcel: Parcel) -> dict[str, Any]:
        return {
            "eccompanyid": self.access.credentials["company_id"],
            "customerid": self.access.credentials["customer_id"],
            "logisticproviderid": "JNT",
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

    async def _scans(self, waybill: str) -> Sequence[Mapping[str, Any]]:
        answer = await self._ask(TRACK, "TRACKQUERY", {"billcode": waybill, "lang": "vi"}, unknown=Away)
        item = _first(answer, unknown=Away, may_be_empty=True)
        traces = item.get("tracesList")
        return [scan for scan in traces if isinstance(scan, dict)] if isinstance(traces, list) else []

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
        item: Mapping[str, Any] = items[0]
        if text_of(item.get("reason")).upper() in WRONG_DIGEST:
            raise NotLetIn(text_of(item.get("reason")))
        return item
    if may_be_empty and isinstance(items, list):
        return {}
    raise unknown("the answer has no items")


def _party(name: str, phone: str, place: tuple[str, str, str, str]) -> dict[str, str]:
    province, district, ward, detail = place
    local = local_phone(phone)
    # Of a two-tier address the ward stands where the district was, so that it is not lost.
    city, area = (district, ward) if district else (ward, ward)
    return {
        "name": name,
        "phone": local,
        "mobile": local,
        "prov": province,
        "city": city,
        "area": area,
        "address": detail,
    }


def _is_true(value: Any) -> bool:
    return value is True or text_of(value).lower() == "true"
