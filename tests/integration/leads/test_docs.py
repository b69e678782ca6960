"""The examples of docs/leads, word for word, one page after the other in a shell against the service on a port, beside it
the staff service and the simulated Facebook where a page speaks of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import text

from deploy.local.facebook import FacebookSimulator
from services.leads.app import SERVICE
from services.leads.exports.work import ExportWorker
from services.leads.facebook import rounds
from services.leads.facebook.applying import Applier
from services.leads.facebook.context import facebook_of
from services.leads.state import parts_of
from services.staff.app import SERVICE as STAFF
from shared.contracts import permissions
from tests.docs_walk import DOCS, Step, address_of, port_to_serve_on, serving, walk
from tests.harness import Databases, Running, eventually, running, token
from tests.integration.leads.company import Colleague, hire, pool, post
from tests.integration.leads.facebook_support import KEY
from tests.integration.leads.floating import floated
from tests.integration.leads.imports_support import work, workbook
from tests.integration.staff.company import ADMIN_PASSWORD, TEMPORARY_PASSWORD, signing_key

PAGES: Final = DOCS / "leads"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Where the service is reached, known before it is made: it tells Facebook."""
    with port_to_serve_on() as opened:
        yield opened


@pytest.fixture
async def leads(databases: Databases, facebook: FacebookSimulator, listener: socket.socket) -> AsyncIterator[Running]:
    known = {"credentials_key": KEY, "facebook_url": facebook.graph_url, "public_url": address_of(listener)}
    async with running(SERVICE, databases, **known) as instance:
        yield instance


@asynccontextmanager
async def staff(databases: Databases) -> AsyncIterator[Running]:
    """The staff service with its first account, which takes the tokens of the tests."""
    values = {"token_signing_key": signing_key(), "bootstrap_password": ADMIN_PASSWORD}
    async with running(STAFF, databases, **values) as instance:
        yield instance


class Company:
    """Who and what the pages speak of.

    Args:
        beside: keeps what else runs while a page is walked through.
    """

    def __init__(
        self, leads: Running, facebook: FacebookSimulator, databases: Databases, directory: Path, beside: AsyncExitStack
    ) -> None:
        self.leads = leads
        self.simulated = facebook
        self.databases = databases
        self.directory = directory
        self.beside = beside
        self.known = {"TOKEN": token(*permissions.ALL, account_id=Colleague(leads, "QL001").id, code="QL001")}
        self.before: dict[str, Step] = {}

    async def prepare(self, page: str) -> None:
        self.admin = await self.leads.client(code="QL001")
        self.people = await hire(self.leads, "NV001", "NV002", "NV003")
        await getattr(self, page.removesuffix(".md").replace("-", "_"))()

    async def consent(self) -> None:
        await post(self.admin, "0912345678")
        (self.directory / "danh-sach.txt").write_text("0912345678\n0987654321\n")

    async def distribution(self) -> None:
        caring = await pool(self.admin, [self.people[2]], name="CSKH")
        lead = await post(self.admin, "0912345678")
        self.known |= {"CSKH": caring["id"], "LEAD": lead["id"]}
        self.known |= {"LAN": str(self.people[0].id), "HOA": str(self.people[1].id)}
        await self.hired_by_staff()

    async def hired_by_staff(self) -> None:
        """The people have the ids that staff gave them; the token is its administrator's."""
        company = await self.beside.enter_async_context(staff(self.databases))
        client = await company.client()
        (admin,) = (await client.get("/v1/accounts")).json()["items"]
        for name in ("LAN", "HOA"):
            account = {"login": name.lower(), "name": name.title(), "department": "sale", "group": "sale"}
            account |= {"superior_id": admin["id"], "temporary_password": TEMPORARY_PASSWORD}
            made = await client.post("/v1/accounts", json=account)
            assert made.status_code == 201, made.text
            person = Colleague(self.leads, made.json()["code"], id=UUID(made.json()["id"]))
            await person.change()
            self.known[name] = str(person.id)
        self.known["TOKEN"] = token(*permissions.ALL, account_id=UUID(admin["id"]), code=admin["code"])
        self.known["STAFF"] = await self.beside.enter_async_context(serving(company.app))

    async def duplicates(self) -> None:
        lead, other = await post(self.admin, "0912345678"), await post(self.admin, "0987654321")
        await post(self.admin, "0900000001")
        duplicate = await post(self.admin, "0900000001")
        self.known |= {"LEAD": lead["id"], "OTHER": other["id"], "DUPLICATE": duplicate["id"]}

    async def everyday(self) -> None:
        source = {"name": "Tết", "channel": "api", "campaign": "tet-2027"}
        made = (await self.admin.post("/v1/sources", json=source)).json()
        key = (await self.admin.post(f"/v1/sources/{made['id']}/key")).json()["key"]
        sender = await self.leads.anonymous()
        sent = {"phone": "0912345678", "name": "Nguyễn Thị Lan"}
        lead = (await sender.post("/v1/leads", json=sent, headers={"X-Api-Key": key})).json()
        self.known["LEAD"] = lead["id"]
        hints = parts_of(self.leads.runtime).streams.hints
        worker = ExportWorker(self.leads.db, arrived=asyncio.Event(), zone="Asia/Ho_Chi_Minh", hints=hints)
        self.before["$EXPORT/file"] = worker.step

    async def facebook(self) -> None:
        page = self.simulated.world.add_page()
        form = self.simulated.world.add_form(page)
        settings = self.simulated.world.settings
        self.known |= {"PAGE_ID": page.id, "ACCESS_TOKEN": page.token, "FORM": form.id}
        self.known |= {"APP_ID": settings.app_id, "APP_SECRET": settings.app_secret}
        self.known["FACEBOOK"] = self.simulated.graph_url.rsplit("/", 1)[0]
        self.before["$PAGE/forms -H"] = self.read_pages
        self.before["_simulator/callback"] = self.read_pages  # which subscribes to the new page
        self.before["channel=facebook_form"] = self.take_pushed

    async def read_pages(self) -> None:
        """What the workflow of each page does."""
        for row in await self.leads.rows("SELECT id FROM facebook_pages"):
            await rounds.advance(facebook_of(self.leads.runtime), row.id)

    async def take_pushed(self) -> None:
        """What the consumer role and the workflow do of what Facebook told."""
        applier = Applier(facebook_of(self.leads.runtime))

        async def both() -> bool:
            while await applier.step():
                pass
            await self.read_pages()
            found = await self.leads.rows("SELECT channel FROM leads")
            return {row.channel for row in found} == {"facebook_form", "facebook_chat"}

        await eventually(both)

    async def floating_pool(self) -> None:
        (lead,) = await floated(self.leads, self.people[0], "0912345678", product="SERUM-30")
        seller = self.people[1]
        self.known |= {"LEAD": lead, "MANAGER": token(*permissions.ALL)}
        self.known["SALE"] = token("leads.read", "leads.claim", account_id=seller.id, code=seller.code)

    async def imports(self) -> None:
        for name, header, phone in (
            ("khach.xlsx", ("SĐT", "Tên"), "0912345678"),
            ("thu.xlsx", ("SĐT", "Tên"), "0912345679"),
            ("doi-tac.xlsx", ("Liên hệ KH", "Mã nội bộ"), "0912345680"),
        ):
            (self.directory / name).write_bytes(workbook([(phone, "Lan"), ("0912", "Hoa")], header))
        for words in ("rows?verdict=rejected", "$IMPORT/import", "$IMPORT/undo", "verdict=kept"):
            self.before[words] = self.work_off

    async def work_off(self) -> None:
        for row in await self.leads.rows("SELECT id FROM imports WHERE state = 'running'"):
            await work(self.leads, str(row.id))

    async def manual_distribution(self) -> None:
        leaver = Colleague(self.leads, "NV009")
        await leaver.change()
        held = await post(self.admin, "0900000001")
        await self.admin.post(f"/v1/leads/{held['id']}/assign", json={"owner_id": str(leaver.id)})
        lead = await post(self.admin, "0912345678")
        async with self.leads.db.transaction() as session:
            await session.execute(text("UPDATE leads SET channel = 'facebook_form'"))
        self.known |= {f"NV{place}": str(person.id) for place, person in enumerate(self.people, 1)}
        self.known |= {"LEAD": lead["id"], "LEAVER": str(leaver.id)}
        self.known["MANAGER"] = self.known["TOKEN"]

    async def raw_inbox(self) -> None:
        for name in ("ID", "OTHER"):
            answer = await self.admin.post("/v1/leads", json={"phone": "091234567", "name": name})
            self.known[name] = answer.json()["raw_item_id"]

    async def sources(self) -> None:
        await hire(self.leads, "MKT00", "MKT01", on_duty=False)


@pytest.mark.parametrize(
    "page",
    [
        "consent.md", "distribution.md", "duplicates.md", "everyday.md", "facebook.md", "floating-pool.md", "imports.md",
        "manual-distribution.md", "raw-inbox.md", "sources.md",
    ],
)  # fmt: skip
async def test_the_examples_of_a_page_work_word_for_word(
    leads: Running,
    facebook: FacebookSimulator,
    databases: Databases,
    listener: socket.socket,
    tmp_path: Path,
    page: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.leads.api.transfers.WITHIN", 0.0)  # so that there is something to cancel
    async with AsyncExitStack() as beside:
        company = Company(leads, facebook, databases, tmp_path, beside)
        await company.prepare(page)
        company.known["LEADS"] = await beside.enter_async_context(serving(leads.app, listener))
        await walk(PAGES / page, tmp_path, known=company.known, before=company.before)


def test_every_page_is_walked_through() -> None:
    (walked,) = test_the_examples_of_a_page_work_word_for_word.pytestmark  # type: ignore[attr-defined]  # pytest's own
    assert sorted(page.name for page in PAGES.glob("*.md")) == walked.args[1]
