"""Giao Hàng Tiết Kiệm (GHTK) over its HTTP API, as documented at https://api.ghtk.vn/en/docs/submit-order/ (2026).

Its habits: every answer is an envelope whose `success` flag counts, not the HTTP status; the partner's `order.id` is
its key against duplicates; weights are kilograms in a creation and grams in a fee or status; numbers may be text.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, quote

import httpx
import orjson

from services.shipping.carriers.base import (
    AlreadyThere,
    Away,
    Cancellation,
    CancelOutcome,
    Capabilities,
    Carrier,
    CodeTable,
    Created,
    FeeQuote,
    NotLetIn,
    Parcel,
    Refused,
    Report,
    UnknownOutcome,
    UnreadableCallback,
)
from services.shipping.carriers.ghtk_codes import CODES
from services.shipping.carriers.reading import integer_of, moment_of, money_of, text_of

DUPLICATE: Final = "ORDER_ID_EXIST"
MAX_NOTE: Final = 120
"""Characters of a note that GHTK accepts."""
GRAMS: Final = 1000
ANY_HAMLET: Final = "Khác"
"""GHTK's word for 'none of the hamlets on the list'; a two-tier address needs it or a street."""

Body = dict[str, Any]


class Ghtk(Carrier):
    """One GHTK shop."""

    name: ClassVar[str] = "ghtk"
    title: ClassVar[str] = "Giao Hàng Tiết Kiệm"
    default_url: ClassVar[str] = "https://services.giaohangtietkiem.vn"
    credential_names: ClassVar[tuple[str, ...]] = ("token", "client_source")
    capabilities: ClassVar[Capabilities] = Capabilities(
        look_up_by_reference=True,
        cancel=True,
        label=True,
        fee_quote=True,
        callbacks=True,
        settlement_by_status=True,
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

    async def track(self, waybill: str) -> Report | None:
        return await self._track(waybill, waybill=waybill)

    async def cancel(self, reference: str) -> Cancellation:
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

    async def label(self, waybill: str, *, size: str) -> bytes:
        # The documentation calls the size paper_size, a client in use page_size: both are sent.
        params = {"original": "portrait", "paper_size": size, "page_size": size}
        response = await self._send(
            "GET", f"/services/label/{quote(waybill, safe='')}", params=params, json=None, unknown=Away
        )
        if response.headers.get("content-type", "").startswith("application/pdf"):
            return response.content
        raise Refused(_message(_envelope(response, unknown=Away)))

    async def fee(self, parcel: Parcel) -> FeeQuote:
        answer = await self._read(
            "/services/shipment/fee",
            params={
                "pick_province": parcel.pick_up.province,
                "pick_district": parcel.pick_up.district or parcel.pick_up.ward,
                "province": parcel.province,
                "district": parcel.district or parcel.ward,
                "weight": str(sum(line.weight_grams * line.quantity for line in parcel.lines)),
                "value": str(parcel.value),
            },
        )
        quoted = answer.get("fee")
        if not answer["success"] or not isinstance(quoted, dict):
            raise Refused(_message(answer))
        return FeeQuote(
            fee=money_of(quoted.get("fee")) or 0,
            insurance_fee=money_of(quoted.get("insurance_fee")) or 0,
            served=bool(quoted.get("delivery")),
        )

    @classmethod
    def read_callback(cls, content_type: str, body: bytes) -> Report:
        """The documentation shows JSON and sends a form, so the body itself says which it is."""
        fields = _callback_fields(body)
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
        return Report(
            waybill=waybill,
            reference=text_of(fields.get("partner_id")),
            raw_status=raw_status,
            at=at,
            reason_code=text_of(fields.get("reason_code")),
            reason=text_of(fields.get("reason")),
            partial=text_of(fields.get("return_part_package")) == "1",
        )

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
        return _envelope(await self._send(method, path, params=params, json=json, unknown=unknown), unknown=unknown)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None,
        json: Body | None,
        unknown: type[UnknownOutcome] | type[Away],
    ) -> httpx.Response:
        """The answer to one request.

        Args:
            unknown: what to raise when the request may have arrived but no answer came.
        """
        headers = {
            "Token": self.access.credentials["token"],
            "X-Client-Source": self.access.credentials["client_source"],
        }
        try:
            response = await self.client.request(
                method, self.access.base_url + path, params=params, json=json, headers=headers
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Away(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise unknown(type(error).__name__) from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Away("asked too often")
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise NotLetIn(f"HTTP {response.status_code}")
        if response.status_code >= 500:
            raise unknown(f"HTTP {response.status_code}")
        return response


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
    """The request of a creation; the shop pays the fee (`is_freeship`), so GHTK collects `pick_money` and no more."""
    place = {"pick_address_id": parcel.pick_up.place_id} if parcel.pick_up.place_id else {}
    districts = {"pick_district": parcel.pick_up.district, "district": parcel.district}
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
            "pick_tel": _local_phone(parcel.pick_up.phone),
            "pick_address": parcel.pick_up.detail,
            "pick_province": parcel.pick_up.province,
            "pick_ward": parcel.pick_up.ward,
            "name": parcel.recipient,
            "tel": _local_phone(parcel.phone),
            "address": parcel.detail,
            "province": parcel.province,
            "ward": parcel.ward,
            "hamlet": ANY_HAMLET,
            **{name: value for name, value in districts.items() if value},
            "pick_money": parcel.cod,
            "is_freeship": 1,
            "value": parcel.value,
            "note": parcel.note[:MAX_NOTE],
            "transport": "road",
        },
    }


def _local_phone(phone: str) -> str:
    """GHTK writes Vietnamese numbers with the leading zero."""
    return f"0{phone[3:]}" if phone.startswith("+84") else phone


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
