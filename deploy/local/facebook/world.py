"""The simulated Facebook: who sends forms and writes, and what the Graph API may read of it."""

import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx

from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import Form, Lead, Page, SimulatorSettings, Stats
from deploy.local.facebook.pushes import PushSender, Update
from deploy.local.simulator.dice import Dice


class HandshakeFailed(Exception):
    """The callback address did not answer as Facebook wants it to."""


class World:
    """Everything there is."""

    def __init__(self, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        self.stats = Stats()
        self.dice = Dice(seed=self.settings.seed)
        self.sender = PushSender(self.settings, self.stats, self.dice)
        self.set_faults(faults or Faults())
        self.pages: dict[str, Page] = {}
        self.forms: dict[str, Form] = {}
        self.leads: dict[str, Lead] = {}
        self._ids = count(1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.sender.start()
        try:
            yield
        finally:
            await self.sender.close()

    def set_faults(self, faults: Faults) -> None:
        self.faults = faults
        self.sender.faults = faults

    def add_page(self, *, page_id: str = "", name: str = "Shop Sao Mai") -> Page:
        page = Page(page_id or self._id("10485"), name, f"EAAG{secrets.token_hex(20)}")
        self.pages[page.id] = page
        return page

    def add_form(self, page: Page, *, name: str = "Serum 30") -> Form:
        form = Form(self._id("20571"), page.id, name)
        self.forms[form.id] = form
        return form

    def page_of_token(self, token: str) -> Page | None:
        return next((page for page in self.pages.values() if secrets.compare_digest(page.token, token)), None)

    def renew_token(self, page: Page) -> None:
        """The old token is invalid from now on; `page.token` is the new one."""
        page.token = f"EAAG{secrets.token_hex(20)}"

    def proof(self, page: Page) -> str:
        return hmac.digest(self.settings.app_secret.encode(), page.token.encode(), "sha256").hex()

    def submit(
        self,
        form: Form,
        *,
        phone: str = "",
        name: str = "Nguyễn Thị Lan",
        fields: dict[str, str] | None = None,
        organic: bool = False,
        disclaimers: dict[str, bool] | None = None,
        created: datetime | None = None,
    ) -> Lead:
        """A customer sends a form; Facebook announces it.

        Parameters: `fields` are further questions and answers; `created` is when, if not now.
        """
        number = next(self._ids)
        leadgen_id = f"30942{number:012d}"
        now = datetime.now(UTC)
        answers = {"full_name": name, **({"phone_number": phone} if phone else {}), **(fields or {})}
        is_late = self.dice.hits("late_listing", rate=self.faults.late_listing, key=leadgen_id)
        lead = Lead(
            id=leadgen_id,
            sequence=number,
            form_id=form.id,
            page_id=form.page_id,
            created=(created or now).replace(microsecond=0),
            listed_at=now + timedelta(seconds=self.faults.late_listing_seconds if is_late else 0),
            field_data=[{"name": question, "values": [text]} for question, text in answers.items()],
            ad={}
            if organic
            else {
                "ad_id": "120210000000000001",
                "adset_id": "120210000000000002",
                "campaign_id": "120210000000000003",
                "campaign_name": "Serum tháng 11",
            },
            disclaimers=[
                {"checkbox_key": key, "is_checked": "1" if ticked else ""}
                for key, ticked in (disclaimers or {}).items()
            ],
        )
        form.leads.append(lead)
        self.leads[lead.id] = lead
        self.sender.tell(self._announcement(lead))
        return lead

    def write(self, page: Page, psid: str, text: str = "", **message: object) -> str:
        """A customer writes; returns the message's mid."""
        mid = f"m_{next(self._ids):020d}"
        said: dict[str, object] = {"mid": mid, **({"text": text} if text else {}), **message}
        self.tell_event(page, psid, {"message": said}, key=mid)
        return mid

    def tell_event(self, page: Page, psid: str, event: dict[str, object], *, key: str) -> None:
        """Any messaging event."""
        stamp = int(datetime.now(UTC).timestamp() * 1000)
        value = {"sender": {"id": psid}, "recipient": {"id": page.id}, "timestamp": stamp, **event}
        self.sender.tell(Update(page, key, "messaging", value))

    async def enter_callback(self, url: str, verify_token: str) -> None:
        """What the Meta developer site does when a callback address is saved.

        Raises:
            HandshakeFailed: the challenge did not come back.
        """
        challenge = str(secrets.randbelow(10**10))
        asked = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.get(url, params=asked)
        if response.status_code != 200 or response.text != challenge:
            raise HandshakeFailed(f"HTTP {response.status_code}")
        self.sender.callback_url = url

    def _announcement(self, lead: Lead) -> Update:
        """Ids as numbers where Facebook sends numbers: in half of the pushes."""
        as_number = int(lead.id) % 2 == 0
        value: dict[str, object] = {
            "leadgen_id": int(lead.id) if as_number else lead.id,
            "page_id": int(lead.page_id) if as_number else lead.page_id,
            "form_id": int(lead.form_id) if as_number else lead.form_id,
            "created_time": int(lead.created.timestamp()),
        }
        if lead.ad:
            value |= {"ad_id": lead.ad["ad_id"], "adgroup_id": lead.ad["ad_id"]}
        return Update(self.pages[lead.page_id], lead.id, "changes", {"field": "leadgen", "value": value})

    def _id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):010d}"
