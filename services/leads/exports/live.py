"""What a stream shows of an export: how far it is."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.leads.exports import store
from services.leads.repository.leads import viewer_of
from shared.auth import Principal
from shared.contracts.permissions import LEADS_EXPORT
from shared.db import ReadSession
from shared.streams import State, Topic


def topic_of(export_id: UUID) -> str:
    return f"export/{export_id}"


async def _read(session: ReadSession, who: Principal, key: str) -> State | None:
    try:
        export_id = UUID(key)
    except ValueError:
        return None
    viewer = await viewer_of(session, who)
    row = await store.one(session, export_id, everything=viewer.everything, people=viewer.people)
    if row is None:
        return None
    return {"id": str(row.id), "state": row.state, "rows": row.rows, "expected": row.expected, "bytes": row.bytes}


EXPORT: Final = Topic("export", LEADS_EXPORT, _read, ended=lambda state: state["state"] != "running")
