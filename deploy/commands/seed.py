"""`chot seed`: a small company on the running stack, to try things out with."""

from __future__ import annotations

import asyncio

import typer

from deploy.terminal import console, fail, running_stack


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(seed)


def seed() -> None:
    """Make a small company: people, products, stock, a pool, and a shop at the simulated carrier. Once a stack."""
    import httpx

    from deploy.local.demo import company
    from deploy.local.demo.api import Refused
    from deploy.local.state import MemberState

    state = running_stack()

    def member(name: str) -> MemberState:
        found = state.member(name)
        if found is None:
            fail(f"The running stack has no {name}.")
        return found

    async def make() -> company.Company:
        async with httpx.AsyncClient(timeout=30) as http:
            made = await company.found(
                http, lambda name: member(name).address, admin_password=member("staff").env["CHOT_BOOTSTRAP_PASSWORD"]
            )
            await company.connect_carrier(made, http, carrier_url=member("ghtk").address)
            await company.open_for_business(made)
            return made

    try:
        made = asyncio.run(make())
    except Refused as refused:
        if refused.problem == "login-taken":
            fail("This stack has its company already. To begin anew: stop it, remove .chot, and start again.")
        raise
    console.print("A company is there. Everybody's password is [bold]" + company.PASSWORD + "[/bold]:")
    for person in (made.manager, *made.sales, made.marketer, made.cod_desk):
        account = person.account
        console.print(f"  {account['code']}  {person.login:<12} {account['group']:<10} {account['name']}")
