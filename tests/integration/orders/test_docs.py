"""The examples of docs/orders, word for word, page after page in a shell against one company on a Monday at 09:00."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from deploy.local.telephone import Exchange, Settings, Stringee
from deploy.local.telephone import create_app as telephone
from services.orders.app import SERVICE
from services.orders.care.processes import PROCESSES
from services.orders.clock import CLOCK
from services.orders.moving.turns import Moves
from services.orders.promises.proof import Prover
from services.orders.telephone.working import DIALLER
from services.reporting.app import SERVICE as REPORTING
from shared.contracts import permissions
from tests.docs_walk import DOCS, Step, address_of, commands, port_to_serve_on, serving, walk
from tests.harness import Databases, running, token
from tests.integration.orders.support import MORNING, Clock, Person, Shop, staffed
from tests.integration.orders.telephone_support import KEY
from tests.integration.orders.test_addresses import CHANGES
from tests.integration.orders.test_customers import customer_of
from tests.integration.orders.test_rescue_desk import Call

PAGES: Final = sorted(page for page in (DOCS / "orders").glob("*.md") if any("curl" in each for each in commands(page)))


class Company:
    """Who and what the pages speak of."""

    def __init__(self, shop: Shop, services: dict[str, str]) -> None:
        self.shop = shop
        self.services = services

    async def prepare(self, page: Path, directory: Path) -> None:
        """What is there before a page begins: NV01, who may do everything, with a number of theirs."""
        self.directory = directory
        self.known: dict[str, str] = dict(self.services)
        self.before: dict[str, Step] = {}
        self.shop.clock.now = MORNING - timedelta(minutes=2)
        self.order = await self.shop.number()
        self.shop.clock.now = MORNING
        people = {"TOKEN": self.shop.sale, "COLLEAGUE": self.shop.colleague, "MANAGER": self.shop.manager}
        self.known |= {name: self._token(person) for name, person in people.items()}
        self.known |= {"ORDER": str(self.order), "ACCOUNT": str(self.shop.sale.id)}
        if (there := getattr(self, page.stem.replace("-", "_"), None)) is not None:
            await there()

    def _token(self, person: Person) -> str:
        return token(*permissions.ALL, account_id=person.id, code=person.code, team="S1")

    # --- what a page needs besides, by its name ----------------------------------------------------------------------

    async def addresses(self) -> None:
        (self.directory / "changes.csv").write_text(CHANGES)

    async def care_process(self) -> None:
        self.shop.clock.now = MORNING - timedelta(minutes=1)  # a move leaves alone what was worked on within a minute
        await self.shop.call(self.order, "no_answer")
        self.shop.clock.now = MORNING
        self.before["$MOVE/start"] = self._look_at_moves

    async def customers(self) -> None:
        other = await self.shop.number()
        customer = await customer_of(self.shop, self.order)
        self.known |= {"CUSTOMER": customer, "KEEP": customer, "GO": await customer_of(self.shop, other)}

    async def merging(self) -> None:
        other = await self.shop.number()
        for order_id in (self.order, other):
            await self._close(order_id)
        self.known["OTHER"] = str(other)

    async def rescue_calls(self) -> None:
        """A delivery of NV01's order failed; before the desk reads its list, the call hours are over."""
        await self._close(self.order)
        call = Call(self.shop, self.order)
        await call.hear(call.fact("failed", "open"))
        self.known["DESK"] = self._token(self.shop.cod)

        async def later() -> None:
            self.shop.clock.forward(hours=2)
            await call.look()

        self.before["desk=true"] = later

    async def second_thoughts(self) -> None:
        await self.shop.call(self.order, "no_answer")
        self.before["grep -i ^etag"] = lambda: self._close(self.order)

    async def tasks_and_promises(self) -> None:
        """NV02 promised a call on Sunday afternoon and did not make it; this day's proof is there."""
        self.shop.clock.now = MORNING - timedelta(days=1)
        late = await self.shop.accept()
        await self.shop.assign(late, self.shop.colleague)
        promised = {"promised_at": "2026-11-22T15:00:00+07:00"}
        await self.shop.call(late, "call_later", by=self.shop.colleague, **promised)
        self.shop.clock.now = MORNING - timedelta(hours=16)
        await self.shop.look(late)
        self.shop.clock.now = MORNING
        now = self.shop.clock
        zone = ZoneInfo("Asia/Ho_Chi_Minh")
        runtime = self.shop.service.runtime
        await Prover(runtime.db, runtime.temporal, zone=zone, now=now).step()

    async def telephony(self) -> None:
        self.known["STRINGEE"] = Stringee().token

    async def _close(self, order_id: UUID) -> None:
        answer = await self.shop.close(order_id, lines=[{"sku": "SERUM-C-30", "quantity": 1}])
        assert answer.status_code == 201, answer.text

    async def _look_at_moves(self) -> None:
        """What the workflow of each move does."""
        moves = Moves(self.shop.service.db, self.shop.service.runtime.state[PROCESSES], now=self.shop.clock)
        for row in await self.shop.service.rows("SELECT id FROM process_moves WHERE state = 'previewing'"):
            while not (await moves.turn(row.id)).done:
                pass


@pytest.fixture(scope="module")
async def company(databases: Databases) -> AsyncIterator[Company]:
    """One for all pages: each speaks of orders and customers of its own."""
    async with AsyncExitStack() as stack:
        port = stack.enter_context(port_to_serve_on())
        orders = await stack.enter_async_context(
            running(SERVICE, databases, filled=staffed, public_url=address_of(port), credentials_key=KEY)
        )
        reporting = await stack.enter_async_context(running(REPORTING, databases))
        clock = Clock()
        orders.runtime.state[CLOCK] = clock
        orders.runtime.state[DIALLER] = Stringee().client
        shop = await Shop.open(orders, clock)
        await shop.stocked(sku="SERUM-C-30", units=100)
        exchange = Exchange(Settings(pace=0), now=clock)
        await stack.enter_async_context(exchange.running())
        services = {
            "ORDERS": await stack.enter_async_context(serving(orders.app, port)),
            "REPORTING": await stack.enter_async_context(serving(reporting.app)),
            "TELEPHONE": await stack.enter_async_context(serving(telephone(exchange))),
        }
        yield Company(shop, services)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_examples_of_a_page_work_word_for_word(company: Company, tmp_path: Path, page: Path) -> None:
    await company.prepare(page, tmp_path)
    await walk(page, tmp_path, known=company.known, before=company.before)
