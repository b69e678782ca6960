"""The story, step by step, with a line for each milestone."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from deploy.local.demo import company as companies
from deploy.local.demo.api import Person
from deploy.local.demo.checks import Check, Facts, all_checks, read_facts
from deploy.local.demo.company import Company
from deploy.local.demo.work import Salesperson, Tally, post_closed, work_all
from deploy.local.stack import Stack

EXAMPLES: Final = Path(__file__).resolve().parents[3] / "examples"
EXPECTED: Final[dict[str, Any]] = json.loads((EXAMPLES / "leads.expected.json").read_text())
"""What must become of each row of the workbook, by who made it."""
SEED: Final = 2026
LANDING_LEADS: Final = 24
PATIENCE: Final = 90.0
"""Seconds that one step may take before the demo says what it waits for and gives up."""

FAULTS: Final = {
    "create_timeout": 0.2,
    "create_timeout_seconds": 1.0,
    "error_before": 0.05,
    "error_after": 0.05,
    "cancelled_twin": 0.05,
    "drop_callback": 0.3,
    "duplicate_callback": 0.3,
    "shuffle_callback": 0.3,
    "delay_callback": 0.2,
    "delay_callback_seconds": 2.0,
}
"""What the simulated carrier does wrong, as rates of its calls and callbacks."""

SETTINGS: Final = {
    "shipping": {
        # A carrier's day lasts seconds here, so do our pauses between two looks at a shipment.
        "CHOT_POLLING_PACE": "0.0001",
        "CHOT_CARRIER_TIMEOUT": "0.7",
    }
}
"""Settings of the demo's services that differ from production's defaults."""


class GaveUp(RuntimeError):
    """A step did not come to its end; the message says which."""


class Story:
    """Tells the story on a running stack.

    Args:
        stack: with `SETTINGS`.
        console: where milestones are printed.
    """

    def __init__(self, stack: Stack, console: Console, http: httpx.AsyncClient) -> None:
        self._stack = stack
        self._console = console
        self._http = http
        self._started = time.monotonic()
        self._import_id = ""
        self._tally = Tally()
        self._posted: set[str] = set()

    async def tell(self) -> tuple[Facts, list[Check], dict[str, Any]]:
        """Plays everything; returns the facts, the checks and the funnel."""
        company = await self._found()
        await self._faults_on(company)
        await self._numbers_come_in(company)
        await self._everybody_works(company)
        await self._carrier_delivers(company)
        boss = await self._renewed(company.admin)
        await self._wait("the reports", lambda: self._settled_down(boss))
        facts = await self._facts(boss)
        funnel = await boss.get("reporting", "/v1/reports/funnel")
        return facts, all_checks(facts), funnel["rows"][0]

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/dim]  [green]✓[/green] {text}")

    async def _found(self) -> Company:
        company = await companies.found(
            self._http, self._stack.url, admin_password=self._stack.env("staff")["CHOT_BOOTSTRAP_PASSWORD"]
        )
        self._say(
            f"a company: {len(company.sales)} salespeople under a manager, a marketer, a COD desk, 6 products in stock"
        )
        return company

    async def _faults_on(self, company: Company) -> None:
        await companies.connect_carrier(company, self._http, carrier_url=self._stack.url("ghtk"))
        await self._control("PUT", "faults", **FAULTS)
        self._say(
            "GHTK (simulated) connected, with faults: 20 % of creations time out after the work is done, 5 % find a "
            "cancelled twin, 30 % of callbacks are lost, 30 % doubled, 30 % out of order"
        )

    async def _control(self, method: str, path: str, **body: Any) -> Any:
        answer = await self._http.request(method, f"{self._stack.url('ghtk')}/_simulator/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def _numbers_come_in(self, company: Company) -> None:
        marketer = company.marketer
        workbook = EXAMPLES / "leads.xlsx"
        answer = await marketer.request(
            "leads",
            "POST",
            "/v1/imports",
            data={"asked_to_be_called": "true"},
            files={"file": (workbook.name, workbook.read_bytes(), "application/octet-stream")},
        )
        self._import_id = answer.json()["id"]

        async def imported() -> bool:
            state = await marketer.get("leads", f"/v1/imports/{self._import_id}")
            return bool(state["state"] == "done")

        await self._wait("the import", imported)
        self._say(
            "examples/leads.xlsx imported: 200 rows, old prefixes, two numbers in a cell, duplicates, broken rows"
        )
        page = await company.admin.ask(
            "leads",
            "POST",
            "/v1/landing-pages",
            name="may-loc-khi",
            marketer=marketer.code,
            campaign="tet-2027",
            product="LOC-KHI",
        )
        key = await company.admin.ask("leads", "POST", f"/v1/landing-pages/{page['id']}/key")
        for number in range(LANDING_LEADS):
            form = {
                "name": f"Khách trang {number}",
                "phone": f"09{number:02d} 300 {200 + number}",
                "link": "https://shop.example/may-loc-khi?utm_source=facebook&utm_campaign=tet-2027",
            }
            (await self._http.post(self._stack.url("leads") + key["path"], data=form)).raise_for_status()
        await companies.open_for_business(company)
        self._say(
            f"{LANDING_LEADS} leads from a landing page; four salespeople go on duty and get the backlog by weight"
        )

    async def _everybody_works(self, company: Company) -> None:
        people = [Salesperson(person, random.Random(f"{SEED}:{person.login}"), self._tally) for person in company.sales]

        async def assigned() -> bool:
            waiting = await company.admin.get("leads", "/v1/backlog", limit=1)
            unowned = await company.admin.get("orders", "/v1/orders", unassigned="true", limit=1)
            return not waiting["items"] and not unowned["items"]

        await self._wait("the distribution", assigned)

        async def all_called() -> bool:
            await work_all(people)
            await post_closed(company.cod_desk, self._posted)
            first_calls = [
                order["id"]
                async for order in company.admin.pages("orders", "/v1/orders", level="L1")
                if order["id"] not in self._tally.worked
            ]
            return not first_calls

        await self._wait("first calls", all_called)
        results = ", ".join(f"{count} {result}" for result, count in self._tally.results.most_common())
        self._say(f"{len(self._tally.worked)} first calls: {results}")
        care = self._tally.after_call.get("care")
        if care:
            self._say(f"after a call nobody answered, Temporal waits: “{care['sentence_en']}”")

    async def _carrier_delivers(self, company: Company) -> None:
        closed = self._tally.results["closed"]

        async def everything_posted() -> bool:
            await post_closed(company.cod_desk, self._posted)
            return len(self._posted) >= closed

        await self._wait("the COD desk", everything_posted)
        self._say(f"the COD desk posted {len(self._posted)} orders")

        async def accepted() -> bool:
            drafts = await company.admin.get("shipping", "/v1/shipments", status="draft", limit=1)
            known = [shipment["order_id"] async for shipment in company.admin.pages("shipping", "/v1/shipments")]
            return not drafts["items"] and len(set(known)) >= len(self._posted)

        await self._wait("the carrier's waybills", accepted)
        stats = (await self._http.get(f"{self._stack.url('ghtk')}/_simulator/stats")).json()
        self._say(f"every parcel created once or adopted; the carrier counted {stats['created']} creations")

        async def at_rest() -> bool:
            await self._control("POST", "advance", steps=1)
            rows = (
                await self._http.get(f"{self._stack.url('ghtk')}/_simulator/shipments", params={"limit": 1000})
            ).json()
            return all(row["is_at_rest"] for row in rows["items"])

        await self._wait("the couriers", at_rest, every=0.5)
        await self._control("POST", "callbacks/drain", timeout_seconds=10)
        self._say("delivered, failed, returned, settled at the carrier; polling repairs what its callbacks lost")

    async def _settled_down(self, boss: Person) -> bool:
        """Whether all checks hold now; what is still on its way needs a moment."""
        return all(check.holds for check in all_checks(await self._facts(boss)))

    async def _facts(self, boss: Person) -> Facts:
        return await read_facts(
            self._http,
            boss,
            import_id=self._import_id,
            expected=EXPECTED,
            carrier_url=self._stack.url("ghtk"),
        )

    async def _renewed(self, person: Person) -> Person:
        return await person.sign_in()

    async def _wait(self, what: str, condition: Callable[[], Awaitable[bool]], *, every: float = 0.2) -> None:
        """Until a condition holds; the checks themselves are shown even if they never do."""
        deadline = time.monotonic() + PATIENCE
        with self._console.status(f"waiting for {what} …"):
            while not await condition():
                if time.monotonic() > deadline:
                    if what == "the reports":
                        return
                    raise GaveUp(f"The demo waited {PATIENCE:.0f} s for {what}.")
                await asyncio.sleep(every)


def show(facts: Facts, checks: list[Check], funnel: dict[str, Any], console: Console) -> None:
    """Prints the funnel and the checks."""
    table = Table(title="Phễu / funnel", title_justify="left")
    for name in ("", "orders", "of the level before"):
        table.add_column(name, justify="left" if not name else "right")
    before: int | None = None
    for key, label in (
        ("c3", "C3 Số về"),
        ("l1", "L1 Số sạch"),
        ("l5", "L5 Đã chốt"),
        ("l7", "L7 Đã gửi"),
        ("l8", "L8 Giao thành công"),
    ):
        table.add_row(label, str(funnel[key]), f"{funnel[key] / before:.0%}" if before else "")
        before = funnel[key]
    console.print(table)
    statuses = ", ".join(f"{row['remaining']} in {row['level']}" for row in facts.identity["rows"] if row["remaining"])
    console.print(f"Present levels: {statuses}\n")
    for check in checks:
        console.print(
            f"{'[green]✓[/green]' if check.holds else '[red]✗[/red]'} {check.name}  [dim]{check.detail}[/dim]"
        )
