"""ViettelPost over its partner API, version 2, with the 2-tier address lists of version 3.

Sources: "TÀI LIỆU KẾT NỐI API VIETTELPOST" (partner.viettelpost.vn) and public integrations. Its habits:

- Failures come on HTTP 200 with `error: true`, a status inside the envelope and a message that is a text or a list. An
  expired token looks like any other failure, so after one a call that needs nothing but the token tells which it was.
- There is no call that tells a parcel's status. `CHECK_UNIQUE` refuses a second order under our code, and the callbacks
  tell the waybill of the first. `registerOrderHook` has a journey pushed once more.
- Nothing is documented that says why a creation was refused, so a refusal of a repeated creation may be `CHECK_UNIQUE`.
- Addresses of the old form are sent by the ids of ViettelPost's lists, all others as text that it reads itself (…Nlp).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from services.shipping.carriers import viettelpost_units
from services.shipping.carriers.access import Credential, Token
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
from services.shipping.carriers.codes import CodeTable
from services.shipping.carriers.errors import Away, NotLetIn, Refused, UnknownOutcome
from services.shipping.carriers.parcel import Parcel, Unit
from services.shipping.carriers.reading import EARLIEST, LATEST, integer_of, money_of, text_of
from services.shipping.carriers.viettelpost_codes import CODES
from services.shipping.carriers.viettelpost_reading import (
    Envelope,
    callbacks_of,
    envelope_of,
    fields_of,
    report_of,
    rows_of,
)
from services.shipping.carriers.viettelpost_requests import (
    MAX_NOTE,
    creation,
    full_note,
    has_ids,
    price_request,
)

RECEIVED: Final = "100"
"""The answer to a creation names no status; this is the one that callbacks begin with."""
SEND_BACK: Final = 2
DELIVER_AGAIN: Final = 3
CANCEL: Final = 4
"""TYPE of UpdateOrder. 5 has two contradicting meanings in public code and is not used."""
CALLBACK_SECRET: Final = "callback_token"
SECRET_HEADERS: Final = frozenset({"authorization", "x-vtp-token"})
PAPER: Final = {"A5": "1", "A6": "2"}
LABELS_AT_ONCE: Final = 100
LINK_LASTS: Final = timedelta(hours=1)
PRINT_HOSTS: Final = {
    "https://partner.viettelpost.vn": "https://digitalize.viettelpost.vn",
    "https://partnerdev.viettelpost.vn": "https://dev-print.viettelpost.vn",
}
"""Labels are printed at another address; at any other address (a simulator) they are where the API is."""
WHY: Final = "Chốt hỏi lại hành trình"
_DURATION: Final = re.compile(r"(\d{1,4})\s*(giờ|gio|h|ngày|ngay)", re.IGNORECASE)


class ViettelPost(Carrier):
    """One ViettelPost customer."""

    name: ClassVar[str] = "viettelpost"
    title: ClassVar[str] = "ViettelPost"
    default_url: ClassVar[str] = "https://partner.viettelpost.vn"
    credentials: ClassVar[tuple[Credential, ...]] = (
        Credential("username", "Tài khoản viettelpost.vn", "Account at viettelpost.vn", optional=True),
        Credential("password", "Mật khẩu của tài khoản đó", "Its password", optional=True),
        Credential(
            "token",
            "Hoặc token tạo ở viettelpost.vn → Cấu hình tài khoản",
            "Or a token made at viettelpost.vn → account configuration",
            optional=True,
        ),
        Credential(
            CALLBACK_SECRET,
            "Mã bí mật đã nhập cùng địa chỉ webhook ở ViettelPost",
            "The secret that was entered at ViettelPost with the webhook's address",
            optional=True,
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        adopt_by=AdoptBy.REPEAT,
        track=False,
        push_again=True,
        label_sizes=tuple(PAPER),
        labels_at_once=LABELS_AT_ONCE,
        fee_quote=True,
        services=True,
        pick_up_places=True,
        settlement=Settlement.STATEMENT,
        commands=frozenset({Command.DELIVER_AGAIN, Command.SEND_BACK}),
        units_of=frozenset({"old"}),
        inspection=True,
        customer_pays=True,
        limits=Limits(note_max=MAX_NOTE, note_in_bytes=True),
    )
    codes: ClassVar[CodeTable] = CODES
    callback_headers: ClassVar[frozenset[str]] = SECRET_HEADERS
    checks_callbacks: ClassVar[bool] = True

    async def test(self) -> None:
        await self._inventory()

    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        service = parcel.options.service or await self._cheapest(parcel)
        path = "/v2/order/createOrder" if has_ids(parcel) else "/v2/order/createOrderNlp"
        body = creation(parcel, service=service, note=self.fit_note(full_note(parcel)))
        answer = await self._ask("POST", path, json=body, unknown=UnknownOutcome)
        order = fields_of(answer.data)
        waybill = text_of(order.get("ordernumber"))
        if answer.failed:
            if waybill and waybill != parcel.reference:
                return AlreadyThere(waybill)
            raise Refused(answer.message)
        if not waybill:
            raise UnknownOutcome("created without a waybill")
        return Created(
            waybill=waybill,
            raw_status=RECEIVED,
            fee=money_of(order.get("moneytotal")) or 0,
            sort_code=text_of(order.get("sortcode")),
        )

    async def _cheapest(self, parcel: Parcel) -> str:
        """A creation needs a service, so one is chosen where the shop has not."""
        return min(await self.quotes(parcel), key=lambda quote: quote.fee).service

    async def ask_to_report(self, waybill: str) -> None:
        _done(await self._ask("GET", "/v2/order/registerOrderHook", params={"oid": waybill, "mes": WHY}))

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        if not waybill:
            raise Away("the waybill is not known yet")
        answer = await self._update(CANCEL, waybill, note="Shop hủy đơn", unknown=Away)
        return Cancellation(CancelOutcome.REFUSED if answer.failed else CancelOutcome.REQUESTED)

    async def deliver_again(self, waybill: str, *, note: str) -> None:
        _done(await self._update(DELIVER_AGAIN, waybill, note=note, unknown=UnknownOutcome))

    async def send_back(self, waybill: str, *, note: str) -> None:
        _done(await self._update(SEND_BACK, waybill, note=note, unknown=UnknownOutcome))

    async def _update(
        self, kind: int, waybill: str, *, note: str, unknown: type[UnknownOutcome] | type[Away]
    ) -> Envelope:
        body = {"TYPE": kind, "ORDER_NUMBER": waybill, "NOTE": self.fit_note(note)}
        return await self._ask("POST", "/v2/order/UpdateOrder", json=body, unknown=unknown)

    async def label(self, waybills: Sequence[str], *, size: str) -> Label:
        expires = int((datetime.now(UTC) + LINK_LASTS).timestamp() * 1000)
        body = {"ORDER_ARRAY": list(waybills), "EXPIRY_TIME": expires}
        answer = await self._ask("POST", "/v2/order/printing-code", json=body)
        if answer.failed:
            raise Refused(answer.message)
        host = PRINT_HOSTS.get(self.access.base_url, self.access.base_url)
        params = {"type": PAPER[size], "bill": answer.message, "showPostage": "1"}
        page = await self.send("GET", f"{host}/DigitalizePrint/report.do", params=params, unknown=Away)
        if not page.is_success or not page.content:
            raise Refused(f"ViettelPost không in được nhãn (HTTP {page.status_code})")
        return Label(page.content, page.headers.get("content-type", "text/html").partition(";")[0].strip())

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        path = "/v2/order/getPriceAll" if has_ids(parcel) else "/v2/order/getPriceAllNlp"
        answer = await self._ask("POST", path, json=price_request(parcel))
        if answer.failed:
            raise Refused(answer.message)
        data = fields_of(answer.data).get("result", answer.data)  # …Nlp puts the addresses that it read beside the list
        wanted = parcel.options.service
        found = tuple(
            FeeQuote(
                service=code,
                title=text_of(row.get("tendichvu")) or code,
                fee=fee,
                hours=_hours(text_of(row.get("thoigian"))),
            )
            for row in rows_of(data)
            if (code := text_of(row.get("madvchinh"))) and (fee := money_of(row.get("giacuoc"))) is not None
        )
        if not (found := tuple(quote for quote in found if wanted in ("", quote.service))):
            raise Refused("ViettelPost không có dịch vụ cho tuyến này")
        return found

    async def services(self) -> Sequence[CarrierService]:
        answer = _done(await self._ask("POST", "/v2/categories/listService", json={"TYPE": 2}))
        return tuple(
            CarrierService(code, text_of(row.get("servicename")) or code)
            for row in rows_of(answer.data)
            if (code := text_of(row.get("servicecode")))
        )

    async def pick_up_places(self) -> Sequence[CarrierPlace]:
        return tuple(
            CarrierPlace(
                place_id=place_id,
                name=text_of(row.get("name")),
                phone=text_of(row.get("phone")),
                address=text_of(row.get("address")),
            )
            for row in rows_of((await self._inventory()).data)
            if (place_id := text_of(row.get("groupaddressid")))
        )

    async def units(self, era: Era) -> Sequence[Unit]:
        async def read(path: str, params: Mapping[str, str]) -> Any:
            return _done(await self._ask("GET", path, params=params)).data

        return await (viettelpost_units.three_tiers(read) if era == "old" else viettelpost_units.two_tiers(read))

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        return tuple(report_of(fields) for fields, _ in callbacks_of(message.body))

    @classmethod
    def is_genuine(cls, message: CallbackMessage, credentials: Mapping[str, str]) -> bool:
        """Whether the secret is in the body or in a header. Without one in the connection, the address has to do."""
        expected = credentials.get(CALLBACK_SECRET, "")
        if not expected:
            return True

        def matches(given: str) -> bool:
            return hmac.compare_digest(given.encode(), expected.encode())

        if any(matches(message.headers.get(name, "").removeprefix("Bearer ")) for name in SECRET_HEADERS):
            return True
        return all(matches(token) for _, token in callbacks_of(message.body))

    async def _inventory(self) -> Envelope:
        """The pick-up places: what needs nothing but a token that is accepted."""
        answer = await self._ask("GET", "/v2/user/listInventory")
        if answer.failed:
            raise NotLetIn(answer.message)
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        unknown: type[UnknownOutcome] | type[Away] = Away,
    ) -> Envelope:
        """One call; with a fresh token once more if the token was not accepted, for then nothing happened."""

        async def ask(token: str) -> Envelope:
            headers = {"Token": token}
            response = await self.send(method, path, params=params, json=json, headers=headers, unknown=unknown)
            return envelope_of(response, unknown=unknown)

        token = await self._token()
        try:
            answer = await ask(token)
        except NotLetIn:
            pass
        else:
            if not answer.failed or await self._is_accepted(token):
                return answer
        return await ask((await self.access.tokens.renew(self._log_in, rejected=token)).value)

    async def _is_accepted(self, token: str) -> bool:
        try:
            response = await self.send("GET", "/v2/user/listInventory", headers={"Token": token}, unknown=Away)
        except NotLetIn:
            return False
        return not envelope_of(response, unknown=Away).failed

    async def _token(self) -> str:
        held = self.access.tokens.current
        if held is not None:
            return held.value
        made_in_portal = self.access.credentials.get("token", "")
        return made_in_portal or (await self.access.tokens.renew(self._log_in)).value

    async def _log_in(self) -> Token:
        """A token from the account (Login, then ownerconnect for one that lasts a year), or for the portal's token.

        Raises:
            NotLetIn: the account is not accepted.
        """
        credentials = self.access.credentials
        if credentials.get("username") and credentials.get("password"):
            account = {"USERNAME": credentials["username"], "PASSWORD": credentials["password"]}
            short = await self._log_in_at("/v2/user/Login", json=account)
            return await self._log_in_at("/v2/user/ownerconnect", json=account, headers={"Token": short.value})
        if credentials.get("token"):
            return await self._log_in_at("/v2/user/LoginVTP", json={"token": credentials["token"]})
        raise NotLetIn("Nhập tài khoản và mật khẩu, hoặc token của ViettelPost")

    async def _log_in_at(self, path: str, *, json: Any, headers: Mapping[str, str] | None = None) -> Token:
        answer = envelope_of(await self.send("POST", path, json=json, headers=headers, unknown=Away), unknown=Away)
        data = fields_of(answer.data)
        value = text_of(data.get("token"))
        if answer.failed or not value:
            raise NotLetIn(answer.message)
        return Token(value, expires_at=_expiry(data.get("expired")))


def _done(answer: Envelope) -> Envelope:
    if answer.failed:
        raise Refused(answer.message)
    return answer


def _expiry(value: Any) -> datetime | None:
    """`expired` in milliseconds since 1970; None for zero and whatever else stands there."""
    try:
        at = datetime.fromtimestamp(integer_of(value) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if EARLIEST < at < LATEST else None


def _hours(text: str) -> int | None:
    """'72 giờ' or '3 ngày'."""
    found = _DURATION.search(text)
    if found is None:
        return None
    return int(found[1]) * (24 if found[2].lower().startswith("ng") else 1)
