"""The dry run: every verdict as it would be now, and no lead written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from services.leads.driver import Connection
from services.leads.imports.rows import Import, row_of, source_of
from services.leads.imports.store import Counts
from services.leads.intake import policy
from services.leads.intake.items import Candidate, Item, Rejection
from services.leads.intake.windows import Arrival, Number, Window, judge
from services.leads.text import plain
from services.leads.writing import Table

_WINDOWS: Final = """
SELECT phone, product_group, product, anchor_id, opened_at, closes_at, ended
FROM duplicate_windows WHERE phone = ANY($1::text[]) AND anchor_id IS NOT NULL
"""
_TRIED: Final = """
SELECT phone, product_group, product, row_no FROM import_trial_windows WHERE import_id = $1 AND phone = ANY($2::text[])
"""
_TRY: Final = """
INSERT INTO import_trial_windows (import_id, phone, product_group, product, row_no)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[]) ON CONFLICT DO NOTHING
"""
_VERDICTS: Final = Table(
    "import_verdicts",
    {
        "import_id": "uuid",
        "row_no": "integer",
        "cells": "text",
        "verdict": "text",
        "reason": "text",
        "vi": "text",
        "en": "text",
        "anchor_id": "uuid",
        "anchor_row": "integer",
    },
)
_PRODUCTS: Final = "SELECT DISTINCT product FROM sources WHERE active AND product <> ''"


async def judge_chunk(connection: Connection, of: Import, items: Sequence[Item], *, window: timedelta) -> Counts:
    """Writes down what would become of these rows, in the caller's transaction, from what is known now."""
    candidates = [(item, item.content) for item in items if isinstance(item.content, Candidate)]
    phones = sorted({phone for _, candidate in candidates for phone in candidate.phones})
    setting = await policy.present(connection, default=window)
    numbers = {phone: Number(phone) for phone in phones}
    for row in await connection.fetch(_WINDOWS, phones):
        values = dict(row)
        phone = values.pop("phone")
        numbers[phone] = numbers[phone].with_window(Window(**values))
    rows_of: dict[UUID, int] = {}
    for earlier in await connection.fetch(_TRIED, of.id, phones):
        stand_in = UUID(int=earlier["row_no"])
        rows_of[stand_in] = earlier["row_no"]
        opened = Window(
            stand_in,
            opened_at=of.received_at,
            closes_at=of.received_at + setting.policy.length,
            product=earlier["product"],
            product_group=earlier["product_group"],
        )
        numbers[earlier["phone"]] = numbers[earlier["phone"]].with_window(opened)
    arrivals = [
        Arrival(item.id, candidate.phones, item.received_at, candidate.product) for item, candidate in candidates
    ]
    judged = judge(arrivals, numbers, policy=setting.policy)
    rows_of |= {item.id: _row_no(item) for item in items}
    await _remember(
        connection,
        of,
        [(phone, group, one.product, rows_of[one.anchor_id]) for (phone, group), one in judged.opened.items()],
    )
    products = {plain(row["product"]) for row in await connection.fetch(_PRODUCTS)}
    verdicts: list[tuple[Any, ...]] = []
    for item in items:
        tried = of.id, _row_no(item), item.body.decode()
        if isinstance(item.content, Rejection):
            verdicts.append((*tried, "rejected", item.content.code, item.content.vi, item.content.en, None, None))
            continue
        vi, en = _warnings(item, of, products)
        anchor = judged.judgements[item.id].anchor_id
        place = rows_of.get(anchor) if anchor else None
        verdict = "duplicate" if anchor else "lead"
        verdicts.append((*tried, verdict, "", vi, en, None if place else anchor, place))
    await _VERDICTS.insert(connection, verdicts)
    counts = Counter(verdict for _, _, _, verdict, *_ in verdicts)
    return Counts(leads=counts["lead"], duplicates=counts["duplicate"], rejected=counts["rejected"])


def _row_no(item: Item) -> int:
    assert item.place is not None, "a row has its place"
    return item.place[1]


async def _remember(connection: Connection, of: Import, opened: Sequence[tuple[str, str, str, int]]) -> None:
    if opened:
        await connection.execute(_TRY, of.id, *([*column] for column in zip(*opened, strict=True)))


def _warnings(item: Item, of: Import, products: set[str]) -> tuple[str, str]:
    """What its sender may want to correct although the row would be taken in."""
    values = row_of(_row_no(item), item.body).values(of.places)
    vi, en = [], []
    if (source := values.get("source")) and source_of(values, of) is None:
        vi.append(f"Chưa có nguồn “{source}”: sẽ ghi vào chiến dịch.")
        en.append(f"There is no source “{source}”: it would become the campaign.")
    if (product := values.get("product")) and products and plain(product) not in products:
        vi.append(f"Sản phẩm “{product}” chưa có ở nguồn nào.")
        en.append(f"No source has the product “{product}”.")
    return " ".join(vi), " ".join(en)
