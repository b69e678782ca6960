"""Giao Hàng Tiết Kiệm (GHTK) over its HTTP API, as documented at https://api.ghtk.vn/en/docs/submit-order/ (2026).

Its habits: every answer is an envelope whose `success` flag counts, not the HTTP status; the partner's `order.id` is
its key against duplicates; weights are kilograms in a creation and grams in a fee or status; numbers may be text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, quote

import httpx
import orjson

from services.shipping.carriers.access import Credential
from services.shipping.carriers.answers import (
    AlreadyThere,
    CallbackMessage,
    Cancellation,
    CancelOutcome,
    CarrierPlace,
    CarrierService,
    Created,
    FeeQuote,
    Label,
    Report,
)
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import AdoptBy, Capabilities, Limits, Settlement
from services.shipping.carriers.codes import CodeTable
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome, UnreadableCallback
from services.shipping.carriers.ghtk_codes import ADD_ONS, CODES
from services.shipping.carriers.parcel import Options, Parcel
from services.shipping.carriers.reading import integer_of, moment_of, money_of, text_of
from shared.phone.masking import national

DUPLICATE: Final = "ORDER_ID_EXIST"
GRAMS: Final = 1000
ANY_HAMLET: Final = "Khác"
"""GHTK's word for 'none of the hamlets on the list'; a two-tier address needs it or a street."""

PDF: Final = "application/pdf"
TRANSPORTS: Final = {"road": "Đường bộ", "fly": "Đường bay"}
INSPECTION: Final = {"look": 10, "try": 11}
"""Tags that let the receiver look at the goods, or check them."""
FAILED_FEE: Final = 19

Body = dict[str, Any]


class Ghtk(Carrier):
    """One GHTK shop."""

    name: ClassVar[str] = "ghtk"
    title: ClassVar[str] = "Giao Hàng Tiết Kiệm"
    default_url: ClassVar[str] = "https://services.giaohangtietkiem.vn"
    credentials: ClassVar[tuple[Credential, ...]] = (
        Credential(
            "token", "Trang khách hàng GHTK → Thông tin shop → Cấu hình API", "GHTK portal → shop → API configuration"
        ),
        Credential("client_source", "Mã shop, ví dụ S12345", "Shop code, e.g. S12345"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        adopt_by=AdoptBy.LOOK_UP,
        label_sizes=("A5", "A6"),
        fee_quote=True,
        services=True,
        pick_up_places=True,
        settlement=Settlement.STATUS,
        inspection=True,
        customer_pays=True,
        failed_fee=True,
        add_ons=ADD_ONS,
        limits=Limits(note_max=120),
    )
    codes: ClassVar[CodeTable] = CODES

    async def test(self) -> None:
        answer = await self._read("/services/shipment/list_pick_add")
        if not answer["success"]:
            raise NotLetIn(_message(answer))

    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        answer = await self._ask(
            "POST", "/services/shipment/order/", params={"ver": "1.5"}, json=_creation(parcel), unknown=UnknownOutcome
        )
        if answer["success"]:
            order = answer.get("order")
            if not isinstance(order, dict) or not text_of(order.get("label")):
                raise UnknownOutcome("created without a label")
            return Created(
                waybill=text_of(order["label"]),
                raw_status=text_of(order.get("status_id")) or "2",
                fee=(money_of(order.get("fee")) or 0) + (money_of(order.get("insurance_fee")) or 0),
                sort_code=text_of(order.get("sorting_code")),
            )
        error = answer.get("error")
        if isinstance(error, dict) and error.get("code") == DUPLICATE:
            return AlreadyThere(waybill=text_of(error.get("ghtk_label")))
        raise Refused(_message(answer))

    async def look_up(self, reference: str) -> Report | None:
        report = await self._track(f"partner_id:{reference}", waybill="")
        if report is not None and not report.waybill:
            raise Away("a shipment without a label")
        return report

    async def track(self, waybill: str) -> Sequence[Report]:
        report = await self._track(waybill, waybill=waybill)
        return () if report is None else (report,)

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        answer = await self._ask(
            "POST", f"/services/shipment/cancel/{quote(f'partner_id:{reference}', safe=':')}", unknown=Away
        )
        # The two failures, already cancelled and already picked up, differ only in their words: the status decides.
        report = await self.look_up(reference)
        if report is None:
            return Cancellation(CancelOutcome.NOTHING_THERE)
        meaning = self.codes.statuses.get(report.raw_status)
        if meaning is not None and meaning.status == "cancelled":
            return Cancellation(CancelOutcome.CANCELLED, report)
        return Cancellation(CancelOutcome.REQUESTED if answer["success"] else CancelOutcome.REFUSED, report)

    async def label(self, waybills: Sequence[str], *, size: str) -> Label:
        [waybill] = waybills
        # The documentation calls the size paper_size, a client in use page_size: both are sent.
        params = {"original": "portrait", "paper_size": size, "page_size": size}
        response = await self._call("GET", f"/services/label/{quote(waybill, safe='')}", params=params, unknown=Away)
        if response.headers.get("content-type", "").startswith(PDF):
            return Label(response.content, PDF)
        raise Refused(_message(_envelope(response, unknown=Away)))

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        wanted = [parcel.options.service] if parcel.options.service else list(TRANSPORTS)
        found: list[FeeQuote] = []
        refusal = Refused("GHTK không giao tuyến này")
        for transport in wanted:
            try:
                found += await self._quote(parcel, transport)
            except NotLetIn:
                raise
            except Refused as error:  # flying may be refused where driving is not
                refusal = error
        if not found:
            raise refusal
        return found

    async def _quote(self, parcel: Parcel, transport: str) -> Sequence[FeeQuote]:
        answer = await self._read(
            "/services/shipment/fee",
            params={
                "pick_province": parcel.pick_up.province,
                "pick_district": parcel.pick_up.district or parcel.pick_up.ward,
                "province": parcel.to.province,
                "district": parcel.to.district or parcel.to.ward,
                "weight": str(parcel.weight_grams),
                "value": str(parcel.value if parcel.options.insured else 0),
                "transport": transport,
            },
        )
        quoted = answer.get("fee")
        if not answer["success"] or not isinstance(quoted, dict):
            raise Refused(_message(answer))
        if not quoted.get("delivery"):
            return ()
        insurance = money_of(quoted.get("insurance_fee")) or 0
        fee = (money_of(quoted.get("fee")) or 0) + insurance
        return (FeeQuote(service=transport, title=TRANSPORTS[transport], fee=fee, insurance_fee=insurance),)

    async def services(self) -> Sequence[CarrierService]:
        return tuple(CarrierService(code, title) for code, title in TRANSPORTS.items())

    async def pick_up_places(self) -> Sequence[CarrierPlace]:
        answer = await self._read("/services/shipment/list_pick_add")
        if not answer["success"]:
            raise NotLetIn(_message(answer))
        places = answer.get("data")
        return tuple(
            CarrierPlace(
                place_id=text_of(place.get("pick_address_id")),
                name=text_of(place.get("pick_name")),
                phone=text_of(place.get("pick_tel")),
                address=text_of(place.get("address")),
            )
            for place in (places if isinstance(places, list) else ())
            if isinstance(place, dict)
        )

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        """The documentation shows JSON and sends a form, so the body itself says which it is."""
        fields = _callback_fields(message.body)
        waybill = text_of(fields.get("label_id"))
        if not waybill:
            raise UnreadableCallback("label_id is missing")
        try:
            raw_status = str(integer_of(fields.get("status_id")))
        except ValueError:
            raise UnreadableCallback("status_id is not a number") from None
        try:
            at = moment_of(fields.get("action_time"))
        except ValueError:
            raise UnreadableCallback("action_time is not a moment") from None
        # By place: by name it takes twice as long, and there are thousands a second.
        report = Report(
            waybill,
            text_of(fields.get("partner_id")),
            raw_status,
            at,
            text_of(fields.get("reason_code")),
            text_of(fields.get("reason")),
            text_of(fields.get("return_part_package")) == "1",
        )
        return (report,)

    async def _track(self, code: str, *, waybill: str) -> Report | None:
        answer = await self._read(f"/services/shipment/v2/{quote(code, safe=':')}")
        order = answer.get("order")
        if not answer["success"] or not isinstance(order, dict):
            # 'Unknown shipment' and 'unknown shop' look alike here. Taken for each other, a live parcel would count
            # as gone, so a call that only needs the credentials tells them apart.
            await self.test()
            return None
        try:
            return Report(
                waybill=text_of(order.get("label_id")) or waybill,
                reference=text_of(order.get("partner_id")),
                raw_status=str(integer_of(order.get("status"))),
                at=moment_of(order.get("modified")),
                collected=money_of(order.get("pick_money")),
                fee=(money_of(order.get("ship_money")) or 0) + (money_of(order.get("insurance")) or 0),
                promised_at=_end_of_day(order.get("deliver_date")),
            )
        except ValueError:
            raise Away("the status answer cannot be read") from None

    async def _read(self, path: str, *, params: dict[str, str] | None = None) -> Body:
        """A call that changes nothing: without an answer, nothing happened."""
        return await self._ask("GET", path, params=params, unknown=Away)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Body | None = None,
        unknown: type[UnknownOutcome] | type[Away],
    ) -> Body:
        return _envelope(await self._call(method, path, params=params, json=json, unknown=unknown), unknown=unknown)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Body | None = None,
        unknown: type[UnknownOutcome] | type[Away],
    ) -> httpx.Response:
        headers = {
            "Token": self.access.credentials["token"],
            "X-Client-Source": self.access.credentials["client_source"],
        }
        return await self.send(method, path, params=params, json=json, headers=headers, unknown=unknown)


def _end_of_day(value: Any) -> datetime | None:
    """'2026-11-23', the day on which GHTK means to deliver (or has delivered), in Vietnam; None for anything else."""
    try:
        return moment_of(f"{date.fromisoformat(text_of(value))}T23:59:59")
    except ValueError:
        return None


def _envelope(response: httpx.Response, *, unknown: type[UnknownOutcome] | type[Away]) -> Body:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise unknown("the answer is not JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("success"), bool):
        raise unknown("the answer has no success flag")
    return answer


def _message(answer: Body) -> str:
    return text_of(answer.get("message")) or "GHTK không nói lý do"


def _creation(parcel: Parcel) -> Body:
    """The request of a creation. With `is_freeship` the shop pays the fee, and GHTK collects `pick_money` and no more."""
    options = parcel.options
    place = {"pick_address_id": parcel.pick_up.place_id} if parcel.pick_up.place_id else {}
    districts = {"pick_district": parcel.pick_up.district, "district": parcel.to.district}
    return {
        "products": [
            {
                "name": line.name,
                "product_code": line.sku,
                "weight": line.weight_grams / GRAMS,
                "quantity": line.quantity,
                "price": line.unit_price,
            }
            for line in parcel.lines
        ],
        "order": {
            "id": parcel.reference,
            **place,
            "pick_name": parcel.pick_up.name,
            "pick_tel": national(parcel.pick_up.phone),
            "pick_address": parcel.pick_up.detail,
            "pick_province": parcel.pick_up.province,
            "pick_ward": parcel.pick_up.ward,
            "name": parcel.recipient,
            "tel": national(parcel.phone),
            "address": parcel.to.detail,
            "province": parcel.to.province,
            "ward": parcel.to.ward,
            "hamlet": ANY_HAMLET,
            **{name: value for name, value in districts.items() if value},
            "pick_money": parcel.cod,
            "is_freeship": 1 if options.payer == "shop" else 0,
            "value": parcel.value if options.insured else 0,
            "note": Ghtk.fit_note(parcel.note),
            "transport": options.service or "road",
            **({"tags": tags} if (tags := _tags(options)) else {}),
            **({"not_delivered_fee": options.failed_delivery_fee} if options.failed_delivery_fee else {}),
        },
    }


def _tags(options: Options) -> list[int]:
    tags = [int(code) for code in options.add_ons]
    if options.inspection in INSPECTION:
        tags.append(INSPECTION[options.inspection])
    if options.failed_delivery_fee:
        tags.append(FAILED_FEE)
    return tags


def _callback_fields(body: bytes) -> Body:
    if body.lstrip()[:1] == b"{":
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise UnreadableCallback("the body is not complete JSON") from None
        assert isinstance(fields, dict)
        return fields
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except (UnicodeDecodeError, ValueError):
        raise UnreadableCallback("the body is neither JSON nor a form") from None
