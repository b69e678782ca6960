"""What shipping asks of a carrier, whichever it is.

For who writes an adapter: one class per carrier (`ghtk.py` is the pattern), its codes as data in `<carrier>_codes.py`, one
line in `registry.py`. Declare in the class what the carrier is (`capabilities`, `credentials`, `codes`, …); the rest of
shipping asks the declarations and never for a name. What the methods promise:

- Every method may raise `Away` (not asked, nothing happened: `retry_after` if the carrier says when) and `NotLetIn`. A
  call that is not in the capabilities need not be written: it raises `NotOffered`.
- `create` is safe to repeat with the same reference. In doubt raise `UnknownOutcome`, never `Away`: a wrong `Away` makes
  an orphan. A reference that is taken is `AlreadyThere`, with its waybill if the carrier tells it; whether what lies
  there is alive is not `create`'s business. `Refused` means that nothing was made; `reason` is the carrier's sentence.
- `look_up` (only with `AdoptBy.LOOK_UP`) and `track`: None or () means that the carrier surely has nothing there. Where
  'no such parcel' and 'no such shop' look alike, tell them apart by another call, as `ghtk.py` does. `track` returns the
  whole journey if the carrier tells it, else how it stands now; the last report is how it stands.
- `cancel` is safe to repeat, and says what came of it by the parcel's state, not by the carrier's words.
- A success flag inside an HTTP 200 counts, not the HTTP status. `send` sorts transport errors; an envelope that cannot
  be read is `unknown`, as passed to `send`.
- Reports carry `collected` and `fee` only out of answers to our own calls, never out of callbacks. Times are UTC
  (`reading.moment_of` takes the zone of times without one). Reference and waybill are texts, exactly as sent.
- The COD having been paid out is a report with a status that `settles`. Where the carrier gives a date instead
  (`Settlement.TRANSFER_DATE`), report it as a status of its own in the code table, e.g. 'cod_transferred', at that date.
- `read_callback` may yield several reports, or none for what is of no interest; it is pure and fast (it runs for each of
  thousands of callbacks a second). `is_genuine` is asked only if `checks_callbacks` is set.
- Tokens that expire: `self.access.tokens.current`, else `renew(self._log_in)`; after a rejection `renew(self._log_in,
  rejected=token)` and the call once more. Never keep a token elsewhere: the keeper seals it, for all processes.
- The HTTP client comes with the connection's rate limit and circuit breaker built in: no pauses, no retries in adapters.
- Units and money are ours (grams, đồng, E.164, `Address`); an adapter translates. `Address.units` and
  `Parcel.pick_up_units` are there when `units_of` asks for that era. `fit_note` cuts the note as `limits` say; all
  other limits have been checked before (`check`, which an adapter may extend with rules of its own).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import httpx

from services.shipping.carriers import checking
from services.shipping.carriers.access import Access, Credential
from services.shipping.carriers.answers import (
    Acknowledgement,
    AlreadyThere,
    CallbackMessage,
    Cancellation,
    CarrierPlace,
    CarrierService,
    Created,
    FeeQuote,
    Label,
    Report,
)
from services.shipping.carriers.capabilities import Capabilities, Era
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.codes import CodeTable
from services.shipping.carriers.errors import Away, LeftAlone, NotLetIn, NotOffered, UnknownOutcome
from services.shipping.carriers.parcel import Parcel, RecipientChange, Unit


class Carrier(ABC):
    """One carrier, for one shop, over one HTTP client."""

    name: ClassVar[str]
    title: ClassVar[str]
    default_url: ClassVar[str]
    credentials: ClassVar[tuple[Credential, ...]]
    capabilities: ClassVar[Capabilities]
    codes: ClassVar[CodeTable]
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement()
    callback_headers: ClassVar[frozenset[str]] = frozenset()
    """Lower-case names of headers of callbacks that `read_callback` or `is_genuine` needs."""
    checks_callbacks: ClassVar[bool] = False
    """`is_genuine` looks at more than the secret in the address."""

    def __init__(self, access: Access, client: httpx.AsyncClient) -> None:
        self.access = access
        self.client = client

    @abstractmethod
    async def test(self) -> None:
        """Returns when the credentials are accepted; changes nothing at the carrier. Renews a token that expires."""

    @abstractmethod
    async def create(self, parcel: Parcel) -> Created | AlreadyThere:
        """Makes a shipment. Safe to repeat with the same reference.

        Raises:
            UnknownOutcome: it may exist now.
            Refused: nothing was made, and the same request will not be accepted.
        """

    async def look_up(self, reference: str) -> Report | None:
        """How the shipment under our reference stands, or None if the carrier has none."""
        raise _not_offered(self)

    async def track(self, waybill: str) -> Sequence[Report]:
        """The journey of the shipment under the carrier's code, oldest first; empty if the carrier has none."""
        raise _not_offered(self)

    async def ask_to_report(self, waybill: str) -> None:
        """Has the carrier call back with the shipment's journey once more.

        Raises:
            Refused: the carrier has no such shipment.
        """
        raise _not_offered(self)

    @abstractmethod
    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        """Cancels what lies under our reference. Safe to repeat.

        Args:
            waybill: empty where it is not known; a carrier that cancels by waybill only raises Away then.
        """

    async def label(self, waybills: Sequence[str], *, size: str) -> Label:
        """The carrier's own label of shipments.

        Args:
            waybills: at most `labels_at_once`.
            size: one of `label_sizes`.

        Raises:
            Refused: there is no label for one of them.
        """
        raise _not_offered(self)

    async def quotes(self, parcel: Parcel) -> Sequence[FeeQuote]:
        """What sending would cost with each service that goes there; with `options.service` only that one.

        Raises:
            Refused: the route is not served, or the request is not complete.
        """
        raise _not_offered(self)

    async def services(self) -> Sequence[CarrierService]:
        """What can be chosen as `Options.service`."""
        raise _not_offered(self)

    async def pick_up_places(self) -> Sequence[CarrierPlace]:
        """The pick-up places that the shop has registered at the carrier."""
        raise _not_offered(self)

    async def units(self, era: Era) -> Sequence[Unit]:
        """The carrier's whole list of provinces, (districts,) and wards of an era. Minutes, and asked once a week."""
        raise _not_offered(self)

    async def deliver_again(self, waybill: str, *, note: str) -> None:
        """Asks for another attempt. Safe to repeat.

        Raises:
            Refused: not in the parcel's present state.
            UnknownOutcome: it may have been accepted.
        """
        raise _not_offered(self)

    async def send_back(self, waybill: str, *, note: str) -> None:
        """Has the parcel returned to the shop. Safe to repeat; raises like `deliver_again`."""
        raise _not_offered(self)

    async def change_recipient(self, waybill: str, change: RecipientChange) -> None:
        """Another phone, name, address or note for a parcel on its way. Safe to repeat; raises like `deliver_again`."""
        raise _not_offered(self)

    @classmethod
    @abstractmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        """The reports in a callback, without money.

        Raises:
            UnreadableCallback: it is not what the carrier documents.
        """

    @classmethod
    def is_genuine(cls, message: CallbackMessage, credentials: Mapping[str, str]) -> bool:
        """Whether a callback bears what only the carrier and the shop know, beside the secret in the address."""
        return True

    @classmethod
    def check(cls, parcel: Parcel) -> Sequence[Breach]:
        """The carrier's rules that a parcel breaks, before the carrier is called."""
        return checking.check(parcel, title=cls.title, capabilities=cls.capabilities)

    @classmethod
    def fit_note(cls, note: str) -> str:
        """The note, cut to what the carrier takes."""
        return checking.fit_note(note, cls.capabilities.limits)

    async def send(
        self,
        method: str,
        path: str,
        *,
        unknown: type[UnknownOutcome] | type[Away],
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer to one request, if it was one: below 500, and neither 401, 403 nor 429.

        Args:
            data, form: fields, as a URL-encoded and as a multipart form.
            path: appended to the connection's address; a whole address is taken as it is.
            unknown: what to raise when the request may have arrived but no answer came: `UnknownOutcome` for a call
                that changes something and is not safe to repeat blindly, `Away` for every other.
        """
        parts = {name: (None, value) for name, value in form.items()} if form is not None else None
        url = path if path.startswith(("http://", "https://")) else self.access.base_url + path
        try:
            response = await self.client.request(
                method, url, params=params, json=json, data=data, files=parts, headers=headers
            )
        except LeftAlone as error:
            raise Away(str(error), retry_after=error.retry_after) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Away(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise unknown(type(error).__name__) from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Away("asked too often", retry_after=_seconds(response.headers.get("retry-after", "")))
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise NotLetIn(f"HTTP {response.status_code}")
        if response.status_code >= 500:
            raise unknown(f"HTTP {response.status_code}")
        return response


def _not_offered(carrier: Carrier) -> NotOffered:
    return NotOffered(f"{carrier.title} không có chức năng này / does not offer this")


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() and len(text) < 6 else None
