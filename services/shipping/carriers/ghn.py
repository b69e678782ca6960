"""Giao Hàng Nhanh (GHN) over its HTTP API, version 2, as documented at https://api.ghn.vn/home/docs and developer.ghn.vn (2026).

Its habits:

- Every answer is `{code, message, data}`. A refusal is HTTP 400 with a `code_message`; failures inside GHN come as HTTP 400
  as well, but without one, and 'no such order' is only a sentence.
- `client_order_code` is its key against duplicates: a second creation is answered like the first, with the first order's
  code, even if that one was cancelled since or collects another amount. So the order that a creation is answered with is
  looked at before it is taken for ours.
- Times are UTC. The detail of an order has its whole journey, and the date on which the COD was paid out.
- Labels are HTML pages for a token that lives half an hour.
- Addresses of three tiers go as codes of GHN's own lists, those of two tiers as the names in its lists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from services.shipping.carriers import ghn_units
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
from services.shipping.carriers.capabilities import AdoptBy, Capabilities, Command, Era, Limits, Settlement
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.codes import CodeTable
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.ghn_codes import CODES, CREATED
from services.shipping.carriers.ghn_reading import Envelope, callback_of, envelope_of, journey_of
from services.shipping.carriers.ghn_requests import SERVICES, change_of, creation, preview, service_of, too_large
from services.shipping.carriers.parcel import Parcel, RecipientChange, Unit
from services.shipping.carriers.reading import money_of, text_of

PAGES: Final = {"A5": "printA5", "80x80": "print80x80", "52x70": "print52x70"}
"""Sizes of the label in millimetres, but for A5."""
API_PATH: Final = "/shiip/public-api"
"""Label pages are beside the API, not under it."""
SHOPS: Final = 200
"""Shops in one answer."""
LABELS_AT_ONCE: Final = 50


class Ghn(Carrier):
    """One GHN shop. Where a pick-up place is one of the account's shops, that shop sends the parcel."""

    name: ClassVar[str] = "ghn"
    title: ClassVar[str] = "Giao Hàng Nhanh"
    default_url: ClassVar[str] = "https://online-gateway.ghn.vn/shiip/public-api"
    credentials: ClassVar[tuple[Credential, ...]] = (
        Credential("token", "khachhang.ghn.vn → Chủ cửa hàng → Token API", "khachhang.ghn.vn → shop owner → API token"),
        Credential("shop_id", "Mã cửa hàng (ShopId), ví dụ 885", "Shop id, e.g. 885"),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        adopt_by=AdoptBy.LOOK_UP,
        label_sizes=tuple(PAGES),
        labels_at_once=LABELS_AT_ONCE,
        fee_quote=True,
        services=True,
        pick_up_places=True,
        settlement=Settlement.TRANSFER_DATE,
        commands=frozenset({Command.DELIVER_AGAIN, Command.SEND_BACK, Command.CHANGE_RECIPIENT}),
        units_of=frozenset({"old", "new"}),
        inspection=True,
        customer_pays=True,
        failed_fee=True,
        limits=Limits(cod_max=50_000_000, value_max=5_000_000, weight_max_grams=50_000, reference_max=50),
    )
    codes: ClassVar[CodeTable] = CODES

    async def test(self) -> None:
        wanted = self.access.credentials["shop_id"]
        if not any(place.place_id == wanted for place in await self.pick_up_places()):
            raise NotLetIn(f"Token GHN này không có cửa hàng {wanted}")

    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        body = creation(parcel, note=self.fit_note(parcel.note))
        answer = await self._ask("create", body, shop=parcel.pick_up.place_id, unknown=UnknownOutcome)
        if answer.is_in_doubt:
            raise UnknownOutcome("the same creation is under way, or failed inside GHN")
        if answer.failed:
            raise Refused(answer.message)
        order = answer.data if isinstance(answer.data, Mapping) else {}
        if not (waybill := text_of(order.get("order_code"))):
            raise UnknownOutcome("created without an order code")
        if not await self._is_ours(waybill, parcel):
            return AlreadyThere(waybill)
        return Created(
            waybill=waybill,
            raw_status=CREATED,
            fee=money_of(order.get("total_fee")) or 0,
            sort_code=text_of(order.get("sort_code")),
        )

    async def _is_ours(self, waybill: str, parcel: Parcel) -> bool:
        """Whether the order that a creation was answered with is alive and collects what this parcel is to collect."""
        try:
            journey = await self.track(waybill)
        except Away:
            journey = ()
        if not journey:
            raise UnknownOutcome("the order that the creation was answered with cannot be looked at")
        meaning = self.codes.statuses.get(journey[-1].raw_status)
        return (meaning is None or meaning.status != "cancelled") and journey[-1].collected == parcel.cod

    async def look_up(self, reference: str) -> Report | None:
        journey = await self._detail("detail-by-client-code", {"client_order_code": reference})
        return journey[-1] if journey else None

    async def track(self, waybill: str) -> Sequence[Report]:
        return await self._detail("detail", {"order_code": waybill})

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        if not waybill:
            there = await self.look_up(reference)
            if there is None:
                return Cancellation(CancelOutcome.NOTHING_THERE)
            waybill = there.waybill
        accepted = await self._switch("cancel", waybill, unknown=Away) == ""
        # Refused because it is cancelled already, or because it was picked up: the status decides, not the words.
        journey = await self.track(waybill)
        if not journey:
            return Cancellation(CancelOutcome.NOTHING_THERE)
        report = journey[-1]
        meaning = self.codes.statuses.get(report.raw_status)
        if meaning is not None and meaning.status == "cancelled":
            return Cancellation(CancelOutcome.CANCELLED, report)
        return Cancellation(CancelOutcome.REQUESTED if accepted else CancelOutcome.REFUSED, report)

    async def label(self, waybills: Sequence[str], *, size: str) -> Label:
        answer = await self._post("/v2/a5/gen-token", {"order_codes": list(waybills)})
        token = text_of(answer.data.get("token")) if isinstance(answer.data, Mapping) else ""
        if answer.failed or not token:
            raise Refused(answer.message)
        host = self.access.base_url.removesuffix(API_PATH)
        page = await self.send("GET", f"{host}/a5/public-api/{PAGES[size]}", params={"token": token}, unknown=Away)
        if not page.is_success or not page.content:
            raise Refused(f"GHN không in được nhãn (HTTP {page.status_code})")
        return Label(page.content, page.headers.get("content-type", "text/html").partition(";")[0].strip())

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        """By `preview`, the dry run of a creation: `fee` knows wards of two tiers by other ids than a creation does."""
        answer = await self._ask("preview", preview(parcel), shop=parcel.pick_up.place_id)
        if answer.failed or not isinstance(answer.data, Mapping):
            raise Refused(answer.message)
        parts = answer.data.get("fee")
        service = service_of(parcel)
        return (
            FeeQuote(
                service=service,
                title=SERVICES.get(service, service),
                fee=money_of(answer.data.get("total_fee")) or 0,
                insurance_fee=(money_of(parts.get("insurance")) or 0) if isinstance(parts, Mapping) else 0,
            ),
        )

    async def services(self) -> Sequence[CarrierService]:
        """GHN chooses by weight which of the two it takes, so `available-services`, which asks for a route, adds nothing."""
        return tuple(CarrierService(code, title) for code, title in SERVICES.items())

    async def pick_up_places(self) -> Sequence[CarrierPlace]:
        """The shops of the account: at GHN a pick-up place is a shop."""
        answer = await self._post("/v2/shop/all", {"offset": 0, "limit": SHOPS, "client_phone": ""})
        if answer.failed:
            raise Away("the list of shops cannot be read")
        shops = answer.data.get("shops") if isinstance(answer.data, Mapping) else None
        return tuple(
            CarrierPlace(
                place_id=place_id,
                name=text_of(shop.get("name")),
                phone=text_of(shop.get("phone")),
                address=text_of(shop.get("address")),
            )
            for shop in (shops if isinstance(shops, list) else ())
            if isinstance(shop, Mapping) and (place_id := text_of(shop.get("_id")))
        )

    async def units(self, era: Era) -> Sequence[Unit]:
        return await (ghn_units.three_tiers if era == "old" else ghn_units.two_tiers)(self._list)

    async def _list(self, path: str, parameters: Mapping[str, str]) -> Any:
        response = await self.send("GET", path, headers=self._headers(""), params=parameters, unknown=Away)
        answer = envelope_of(response, unknown=Away)
        if answer.failed:
            raise Away("a list of places cannot be read")
        return answer.data

    async def deliver_again(self, waybill: str, *, note: str) -> None:
        await self._command("storing", waybill, note=note)

    async def send_back(self, waybill: str, *, note: str) -> None:
        await self._command("return", waybill, note=note)

    async def change_recipient(self, waybill: str, change: RecipientChange) -> None:
        body = {"order_code": waybill, **change_of(change)}
        answer = await self._ask("update", body, unknown=UnknownOutcome)
        if answer.is_in_doubt:
            raise UnknownOutcome("the change failed inside GHN")
        if answer.failed:
            raise Refused(answer.message)

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        return callback_of(message.body)

    @classmethod
    def check(cls, parcel: Parcel) -> Sequence[Breach]:
        return (*super().check(parcel), *too_large(parcel))

    async def _command(self, wanted: str, waybill: str, *, note: str) -> None:
        if note:
            # The command takes no note; the courier reads the order's. Where that is closed, the command still counts.
            with contextlib.suppress(Refused):
                await self.change_recipient(waybill, RecipientChange(note=self.fit_note(note)))
        if refusal := await self._switch(wanted, waybill, unknown=UnknownOutcome):
            raise Refused(refusal)

    async def _switch(self, wanted: str, waybill: str, *, unknown: type[UnknownOutcome] | type[Away]) -> str:
        """Empty if GHN does it, else its sentence."""
        answer = await self._post(f"/v2/switch-status/{wanted}", {"order_codes": [waybill]}, unknown=unknown)
        if answer.is_in_doubt:
            raise unknown("the command failed inside GHN")
        if answer.failed:
            return answer.message
        for result in answer.data if isinstance(answer.data, list) else ():
            if isinstance(result, Mapping) and text_of(result.get("order_code")) == waybill:
                return "" if result.get("result") is True else text_of(result.get("message")) or "GHN không nói lý do"
        raise unknown("the answer does not speak of the order")

    async def _detail(self, call: str, body: Mapping[str, str]) -> Sequence[Report]:
        answer = await self._ask(call, body)
        if answer.is_missing or (not answer.failed and not answer.data):
            return ()
        if answer.failed:
            raise Away("the order cannot be looked up")
        try:
            return journey_of(answer.data)
        except ValueError:
            raise Away("the order's detail cannot be read") from None

    async def _ask(
        self,
        call: str,
        body: Mapping[str, Any],
        *,
        shop: str = "",
        unknown: type[UnknownOutcome] | type[Away] = Away,
    ) -> Envelope:
        return await self._post(f"/v2/shipping-order/{call}", body, shop=shop, unknown=unknown)

    async def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        shop: str = "",
        unknown: type[UnknownOutcome] | type[Away] = Away,
    ) -> Envelope:
        response = await self.send("POST", path, headers=self._headers(shop), json=dict(body), unknown=unknown)
        return envelope_of(response, unknown=unknown)

    def _headers(self, shop: str) -> dict[str, str]:
        credentials = self.access.credentials
        return {"Token": credentials["token"], "ShopId": shop or credentials["shop_id"]}
