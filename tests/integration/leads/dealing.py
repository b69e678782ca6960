"""What tests of leads that are given by hand share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
from uuid_utils.compat import uuid7

from services.leads.driver import connection_of
from tests.harness import Running
from tests.integration.leads.company import Colleague, post


async def arrive(client: httpx.AsyncClient, count: int, *, first: int = 0) -> list[str]:
    """So many clean numbers, in the order of their arrival."""
    return [(await post(client, f"09123{first + number:05}"))["id"] for number in range(count)]


async def preview(
    client: httpx.AsyncClient, people: list[Colleague], *, counts: list[int] | None = None, **body: Any
) -> dict[str, Any]:
    asked = counts or [None] * len(people)
    named = [{"account_id": str(person.id), "count": count} for person, count in zip(people, asked, strict=True)]
    answer = await client.post("/v1/distributions", json={"people": named, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def rows(client: httpx.AsyncClient, transfer: dict[str, Any], kind: str = "distributions") -> list[Any]:
    """All rows, over all pages."""
    found: list[Any] = []
    after: int | None = -1
    while after is not None:
        answer = await client.get(f"/v1/{kind}/{transfer['id']}/rows", params={"after": after, "limit": 200})
        page = answer.json()
        found += page["items"]
        after = page["next"]
    return found


async def numbered_without_gap(leads: Running) -> None:
    """Every lead's assignments are 1, 2, 3 …, the last is what the lead says, and so do the facts."""
    wrong = await leads.rows(
        """
SELECT l.id FROM leads l LEFT JOIN LATERAL (
    SELECT count(*) AS steps, coalesce(max(assignment), 0) AS last,
        (array_agg(owner_id ORDER BY assignment DESC))[1] AS owner
    FROM assignments WHERE lead_id = l.id) a ON true
WHERE a.steps <> l.assignment OR a.last <> l.assignment OR a.owner IS DISTINCT FROM l.owner_id
"""
    )
    assert wrong == []
    told = Counter(
        (event["subject"], event["payload"]["assignment"])
        for event in await leads.outbox("leads.lead.assigned.v1", "leads.lead.released.v1")
    )
    assert set(told.values()) <= {1}
    (steps,) = await leads.rows("SELECT count(*) AS steps FROM assignments")
    assert sum(told.values()) == steps.steps


async def hold_numbers(leads: Running, holder: Colleague, count: int) -> None:
    """Somebody holds so many numbers; written at once, since arriving is not what is looked at here."""
    async with leads.db.transaction() as session:
        connection = await connection_of(session)
        ids = [uuid7() for _ in range(count)]
        await connection.execute(
            """
WITH raw AS (
    INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict)
    SELECT id, 'excel', now(), '', '', 'lead' FROM unnest($1::uuid[]) AS r (id)
), held AS (
    INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, channel, campaign,
        landing_page, marketer, received_at, returning_customer, level, in_care, owner_id, assignment)
    SELECT id, 'lead', '+849' || lpad(place::text, 8, '0'), '{}', '', '', '', '', '', 'excel', '', '', '', now(), false, 'L1',
        true, $2, 1
    FROM unnest($1::uuid[]) WITH ORDINALITY AS r (id, place)
)
INSERT INTO assignments (lead_id, assignment, owner_id, cause, at, by)
SELECT id, 1, $2, 'manual', now(), 'QL001' FROM unnest($1::uuid[]) AS r (id)
""",
            ids,
            holder.id,
        )
