"""The rate of a connection over several processes, and tokens that one of them renews."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from services.shipping.carriers.access import Token
from services.shipping.carriers.errors import Away
from services.shipping.carriers.gate import Gates, Turns
from services.shipping.tokens import SealedTokens, entered, token_of
from tests.integration.shipping.support import Shop

COMERS = 10
"""Of each process, at once, at one request a second."""
NOW = datetime(2026, 11, 22, tzinfo=UTC)


async def come(gates: Gates, connection_id: UUID, subject: str) -> float:
    """0 when it is its turn, else the seconds until it."""
    try:
        async with gates.enter(connection_id, per_second=1, turns=Turns.BOOKED, subject=subject) as passage:
            await passage.turn()
    except Away as error:
        return error.retry_after or 0.0
    return 0.0


async def test_two_processes_share_one_rate_and_who_comes_too_early_keeps_his_turn(shop: Shop) -> None:
    here, there = (Gates(shop.context.db, pace=1) for _ in range(2))
    waits = await asyncio.gather(
        *(come(gates, shop.connection_id, f"DH-{number}") for number, gates in enumerate([here, there] * COMERS))
    )
    booked = await kept(shop)
    assert len(booked) == len([wait for wait in waits if wait]) > 0
    assert all(later.at - earlier.at >= timedelta(seconds=0.99) for earlier, later in pairwise(booked))
    last = booked[-1]
    assert await come(there, shop.connection_id, last.subject) >= 0
    assert [turn.at for turn in await kept(shop) if turn.subject == last.subject] in ([last.at], [])
    await come(here, shop.connection_id, "DH-new")
    assert all(turn.at > last.at for turn in await kept(shop) if turn.subject == "DH-new")


async def kept(shop: Shop) -> Sequence[Any]:
    return await shop.running.rows("SELECT subject, at FROM carrier_turns ORDER BY at")


async def test_a_token_is_renewed_by_one_process_and_sealed_for_all(shop: Shop) -> None:
    connection = await shop.context.connection(shop.connection_id)
    vault, db = shop.context.vault, shop.context.db
    opened = vault.open(connection.sealed, owner_id=connection.id)
    asked = asyncio.Event()
    going_on = asyncio.Event()
    calls = 0

    async def log_in() -> Token:
        nonlocal calls
        calls += 1
        asked.set()
        await going_on.wait()
        return Token(f"token-{calls}", NOW + timedelta(days=365))

    def keeper() -> SealedTokens:
        return SealedTokens(db, vault, connection.id, opened, now=lambda: NOW)

    first = asyncio.create_task(keeper().renew(log_in))
    await asked.wait()
    with pytest.raises(Away) as away:
        await keeper().renew(log_in)
    assert away.value.retry_after is not None
    going_on.set()
    token = await first
    # Whoever still holds the former one is given the new one, and nobody logs in again.
    assert await keeper().renew(log_in, rejected="former") == token
    assert calls == 1
    stored = vault.open((await shop.context.connection(connection.id)).sealed, owner_id=connection.id)
    assert token_of(stored) == token
    assert entered(stored) == opened
    assert await keeper().renew(log_in, rejected=token.value) != token


async def test_a_token_is_renewed_before_it_ends(shop: Shop) -> None:
    connection = await shop.context.connection(shop.connection_id)
    vault = shop.context.vault

    async def log_in() -> Token:
        return Token("token", NOW + timedelta(days=365))

    opened = vault.open(connection.sealed, owner_id=connection.id)
    await SealedTokens(shop.context.db, vault, connection.id, opened, now=lambda: NOW).renew(log_in)
    stored = vault.open((await shop.context.connection(connection.id)).sealed, owner_id=connection.id)

    def held(at: datetime) -> Token | None:
        return SealedTokens(shop.context.db, vault, connection.id, stored, now=lambda: at).current

    assert held(NOW + timedelta(days=361)) is not None
    assert held(NOW + timedelta(days=363)) is None
