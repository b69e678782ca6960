"""The one way in: any number of items become leads, duplicates or rejections, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.leads import events, rounds
from services.leads.consent import do_not_call
from services.leads.consent import wording as consent
from services.leads.consent.do_not_call import Listed
from services.leads.driver import Connection, write_new
from services.leads.events import Assigned
from services.leads.intake import external, keys, numbers, raw, replaced
from services.leads.intake.items import Answer, Candidate, External, Item, Rejection, Verdict, VerdictName
from services.leads.intake.locking import ALONE, Locking
from services.leads.intake.windows import Arrival, Judged, Judgement, judge
from services.leads.returning import Known, ask_first
from services.leads.rounds import Decided, Fresh
from services.leads.text import cell
from services.leads.writing import Table, array
from shared.contracts import levels
from shared.idempotency import KeyReused
from shared.outbox import Row
from shared.telemetry import correlated, correlation_id

Outcome = Verdict | Answer | KeyReused
"""What the sender of an item is told: its verdict, the answer that its key already has, or that the key is taken."""

MAX_CONTENT_TYPE: Final = 200

_OWNERS: Final = "SELECT id, owner_id FROM leads WHERE id = ANY($1::uuid[]) AND owner_id IS NOT NULL"
_RAW: Final = Table(
    "raw_items",
    {
        "id": "uuid",
        "channel": "text",
        "source_id": "uuid",
        "received_at": "timestamptz",
        "content_type": "text",
        "body": "bytea",
        "import_id": "uuid",
        "row_no": "integer",
        "created_by": "uuid",
        "remote_ip": "text",
        "verdict": "text",
        "reason": "text",
        "reason_vi": "text",
        "reason_en": "text",
        "fields": "jsonb",
        "origin": "jsonb",
        "digits": "text",
    },
    binary=True,
)
_SETTLE: Final = """
UPDATE raw_items r SET verdict = v.verdict, reason = v.reason, reason_vi = v.vi, reason_en = v.en, fields = v.fields,
    origin = v.origin, digits = v.digits
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]::jsonb[], $7::text[]::jsonb[],
    $8::text[]) AS v (id, verdict, reason, vi, en, fields, origin, digits)
WHERE r.id = v.id
"""
# The wording that people agreed to is kept once; a lead names it by its hash.
_TEXTS: Final = """
INSERT INTO consent_texts (hash, text) SELECT * FROM unnest($1::bytea[], $2::text[]) AS t (hash, text) ORDER BY hash
ON CONFLICT (hash) DO NOTHING
"""
_LEADS: Final = Table(
    "leads",
    {
        "id": "uuid",
        "verdict": "text",
        "anchor_id": "uuid",
        "phone": "text",
        "other_phones": "text[]",
        "phone_typed": "text",
        "name": "text",
        "product": "text",
        "note": "text",
        "address": "text",
        "source_id": "uuid",
        "channel": "text",
        "campaign": "text",
        "landing_page": "text",
        "marketer": "text",
        "received_at": "timestamptz",
        "returning_customer": "boolean",
        "level": "text",
        "in_care": "boolean",
        "owner_id": "uuid",
        "assignment": "integer",
        "pool_id": "uuid",
        "created_by": "uuid",
        "flag": "text",
        "asked_to_be_called": "boolean",
        "consent_hash": "bytea",
        "consent_page": "text",
        "do_not_call": "boolean",
    },
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Outcomes in the order of the items, and whether the relay has something to carry once this is committed."""

    outcomes: list[Outcome]
    wrote_outbox: bool


async def accept(
    connection: Connection,
    items: Sequence[Item],
    *,
    window: timedelta,
    locking: Locking = ALONE,
) -> Accepted:
    """Takes items in, in the caller's transaction: raw items, verdicts, owners, events and kept answers, or nothing.

    An item whose Idempotency-Key was answered before has no effect again. Of two with one number the first is the lead.

    Args:
        items: in the order of their arrival.
        window: length of the duplicate window as long as the company has not set one.
        locking: its place among other transactions of the same work.
    """
    firsts: dict[keys.Scope, Item] = {}
    for item in items:
        if item.once is not None:
            firsts.setdefault(item.once.scope, item)
    if not firsts:
        verdicts, wrote_outbox = await _take_in_once(connection, items, window=window, locking=locking)
        return Accepted([verdicts[item.id] for item in items], wrote_outbox)
    settled = await keys.claim(connection, [first.once for first in firsts.values() if first.once])
    fresh = [
        item
        for item in items
        if item.once is None or (item.once.scope not in settled and firsts[item.once.scope] is item)
    ]
    verdicts, wrote_outbox = await _take_in_once(connection, fresh, window=window, locking=locking)
    answers: dict[keys.Scope, Answer] = {}
    for item in fresh:
        if item.once is not None:
            with correlated(item.correlation_id):
                answers[item.once.scope] = item.once.render(verdicts[item.id])
            settled[item.once.scope] = keys.Stored(item.once.request_hash, answers[item.once.scope])
    await keys.answer(connection, answers)
    taken = {item.id: answers[item.once.scope] if item.once else verdicts[item.id] for item in fresh}
    return Accepted([taken.get(item.id) or _again(item, settled) for item in items], wrote_outbox)


def _again(item: Item, settled: Mapping[keys.Scope, keys.Stored]) -> Outcome:
    """What a repeated request is told."""
    assert item.once is not None, "only an item with a key can be a repetition"
    first = settled[item.once.scope]
    if first.request_hash != item.once.request_hash:
        return KeyReused()
    return replace(first.answer, replayed=True)


@dataclass(slots=True)
class _Read:
    """An item with a customer in it, and what it was judged to be."""

    item: Item
    candidate: Candidate
    judgement: Judgement
    is_clean: bool


async def _take_in_once(
    connection: Connection, items: Sequence[Item], *, window: timedelta, locking: Locking
) -> tuple[dict[UUID, Verdict], bool]:
    """Takes in the items whose external id is new."""
    firsts: dict[External, UUID] = {}
    for item in items:
        if item.external is not None:
            firsts.setdefault(item.external, item.id)
    if not firsts:
        return await _take_in(connection, items, window=window, locking=locking)
    repeated = await external.claim(connection, items)
    new = [item for item in items if item.external is None or firsts[item.external] == item.id]
    verdicts, wrote_outbox = await _take_in(
        connection, [item for item in new if item.id not in repeated], window=window, locking=locking
    )
    verdicts |= repeated
    for item in items:
        if item.external is not None and firsts[item.external] != item.id:
            verdicts[item.id] = external.repetition(verdicts[firsts[item.external]])
    return verdicts, wrote_outbox


async def _take_in(
    connection: Connection, items: Sequence[Item], *, window: timedelta, locking: Locking
) -> tuple[dict[UUID, Verdict], bool]:
    if not items:
        return {}, False
    candidates = [(item, item.content) for item in items if isinstance(item.content, Candidate)]
    judged = await _judge(connection, candidates, window=window, locking=locking)
    # After the numbers were locked: whoever lists a number takes the same lock, so one of the two learns of the other.
    listed = await do_not_call.entries_of(connection, {phone for _, one in candidates for phone in one.phones})
    read = [
        _Read(item, candidate, judgement := judged.judgements[item.id], judgement.anchor_id is None)
        for item, candidate in candidates
    ]
    clean = [one for one in read if one.is_clean]
    decided = await _decide(connection, [one for one in clean if one.item.owner_id is None])
    await locking.turn()  # also where there was nothing to lock: whoever is behind goes by this one alone
    locking.done()
    verdicts = _verdicts(items, read)
    await _write_raw(connection, items, verdicts)
    await _write_leads(connection, read, decided, listed)
    owned = await rounds.record(connection, decided, new=frozenset(one.item.id for one in clean))
    return verdicts, await write_new(connection, _facts(read, owned, listed))


async def _judge(
    connection: Connection, candidates: Sequence[tuple[Item, Candidate]], *, window: timedelta, locking: Locking
) -> Judged:
    """Locks the numbers of all candidates, says which are clean, and opens their windows."""
    if not candidates:
        return Judged({}, {})
    arrivals = [
        Arrival(item.id, candidate.phones, item.received_at, candidate.product) for item, candidate in candidates
    ]
    claimed = await numbers.claim(connection, arrivals, default=window, turn=locking.turn)
    judged = judge(arrivals, claimed.known.numbers, policy=claimed.known.policy)
    await replaced.keep(connection, (item for item, _ in candidates), claimed.known.numbers, judged)
    await numbers.settle(connection, claimed, judged)
    return judged


async def _decide(connection: Connection, clean: Sequence[_Read]) -> Decided:
    """Owners for clean leads, where there is somebody."""
    if not clean:
        return await rounds.decide(connection, ())
    previous = {one.judgement.previous_id for one in clean if one.judgement.previous_id}
    rows = await connection.fetch(_OWNERS, sorted(previous)) if previous else []
    owners: dict[UUID | None, UUID] = {row["id"]: row["owner_id"] for row in rows}
    dimensions = [(one.item.origin.channel, one.candidate.product, one.item.origin.landing_page) for one in clean]
    distinct = sorted(set(dimensions))
    pools = dict(zip(distinct, await rounds.pools_of(connection, distinct), strict=True))
    fresh = [
        Fresh(one.item.id, pools[dimension], one.item.received_at, topic=dimension)
        for one, dimension in zip(clean, dimensions, strict=True)
    ]
    known = {
        one.item.id: Known(
            one.candidate.phones, owners.get(one.judgement.previous_id), one.judgement.returning_customer
        )
        for one in clean
        if one.judgement.previous_id or one.judgement.returning_customer
    }
    return await rounds.decide(connection, (), await ask_first(connection, fresh, known))


def _verdicts(items: Iterable[Item], read: Iterable[_Read]) -> dict[UUID, Verdict]:
    verdicts = {
        item.id: Verdict(item.id, "rejected", rejection=item.content)
        for item in items
        if isinstance(item.content, Rejection)
    }
    for one in read:
        id, judgement = one.item.id, one.judgement
        verdict: VerdictName = "lead" if one.is_clean else "duplicate"
        verdicts[id] = Verdict(id, verdict, judgement.anchor_id, judgement.returning_customer)
    return verdicts


async def _write_raw(connection: Connection, items: Iterable[Item], verdicts: Mapping[UUID, Verdict]) -> None:
    arrived: list[Item] = []
    again: list[Item] = []
    for item in items:
        (again if item.again else arrived).append(item)
    if arrived:
        await _RAW.insert_columns(connection, [*_raw_columns(arrived), *raw.settled_columns(arrived, verdicts)])
    if again:
        ids = [item.id for item in again]
        await connection.execute(_SETTLE, ids, *raw.settled_columns(again, verdicts))


def _raw_columns(items: Sequence[Item]) -> list[Sequence[Any]]:
    origins = [item.origin for item in items]
    content_types = {item.content_type for item in items}
    stored = {one: cell(one, MAX_CONTENT_TYPE) for one in content_types}
    return [
        [item.id for item in items],
        [origin.channel for origin in origins],
        [origin.source_id for origin in origins],
        [item.received_at for item in items],
        [stored[item.content_type] for item in items],
        [item.body for item in items],
        [item.place[0] if item.place else None for item in items],
        [item.place[1] if item.place else None for item in items],
        [origin.created_by for origin in origins],
        [item.remote_ip for item in items],
    ]


async def _write_leads(
    connection: Connection, read: Sequence[_Read], decided: Decided, listed: Mapping[str, Listed]
) -> None:
    if not read:
        return
    texts = {text for one in read if (text := one.item.origin.consent_text)}
    hashes = {text: consent.hash_of(text) for text in texts}
    if hashes:
        await connection.execute(_TEXTS, [*hashes.values()], [*hashes])
    await _LEADS.insert_columns(connection, _lead_columns(read, decided, listed, hashes))


def _lead_columns(
    read: Sequence[_Read], decided: Decided, listed: Mapping[str, Listed], hashes: Mapping[str, bytes]
) -> list[Sequence[Any]]:
    """Column by column, in the order of the table: row by row it takes twice as long."""
    items = [one.item for one in read]
    candidates = [one.candidate for one in read]
    judgements = [one.judgement for one in read]
    origins = [item.origin for item in items]
    clean = [one.is_clean for one in read]
    by_lead = {one.lead_id: one for one in decided.placed}
    placed = [by_lead.get(item.id) for item in items] if by_lead else [None] * len(items)
    return [
        [item.id for item in items],
        ["lead" if is_clean else "duplicate" for is_clean in clean],
        [judgement.anchor_id for judgement in judgements],
        [candidate.phones[0] for candidate in candidates],
        [array(candidate.phones[1:]) for candidate in candidates],
        [candidate.typed for candidate in candidates],
        [candidate.name for candidate in candidates],
        [candidate.product for candidate in candidates],
        [candidate.note for candidate in candidates],
        [candidate.address for candidate in candidates],
        [origin.source_id for origin in origins],
        [origin.channel for origin in origins],
        [origin.campaign for origin in origins],
        [origin.landing_page for origin in origins],
        [origin.marketer for origin in origins],
        [item.received_at for item in items],
        [judgement.returning_customer for judgement in judgements],
        [levels.CLEAN if is_clean else levels.DUPLICATE for is_clean in clean],
        clean,
        [one.decision.owner_id if one else None for one in placed],
        [1 if one else 0 for one in placed],
        [one.pool_id if one else None for one in placed],
        [origin.created_by for origin in origins],
        [judgement.flag for judgement in judgements],
        [origin.asked_to_be_called for origin in origins],
        [hashes.get(origin.consent_text) for origin in origins],
        [origin.consent_page for origin in origins],
        [_must_not_be_called(candidate, listed) for candidate in candidates] if listed else [False] * len(items),
    ]


def _must_not_be_called(candidate: Candidate, listed: Mapping[str, Listed]) -> bool:
    return any(listed[phone].forbids_calls for phone in candidate.phones if phone in listed)


def _facts(read: Sequence[_Read], owned: Sequence[Assigned], listed: Mapping[str, Listed]) -> list[Row]:
    correlations = {one.item.id: one.item.correlation_id for one in read} if owned else {}
    return [
        *events.accepted(*_columns([one for one in read if one.is_clean]), listed=listed),
        *events.duplicated(*_columns([one for one in read if not one.is_clean])),
        *events.assigned(owned, [correlations.get(one.lead_id) or correlation_id() for one in owned]),
    ]


def _columns(read: Sequence[_Read]) -> tuple[list[Item], list[Candidate], list[Judgement]]:
    return [one.item for one in read], [one.candidate for one in read], [one.judgement for one in read]
