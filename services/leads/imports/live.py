"""What a stream shows of an import: how far it is, as counts and a sentence in both languages."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.leads.imports import listing
from services.leads.imports.views import view
from services.leads.repository.leads import viewer_of
from shared.auth import Principal
from shared.contracts.permissions import LEADS_IMPORT
from shared.db import ReadSession
from shared.streams import State, Topic

_COUNTS: Final = ("row_count", "rows_done", "leads", "duplicates", "rejected", "repeated", "undone", "kept")


def topic_of(import_id: UUID) -> str:
    return f"import/{import_id}"


async def _read(session: ReadSession, who: Principal, key: str) -> State | None:
    try:
        import_id = UUID(key)
    except ValueError:
        return None
    viewer = await viewer_of(session, who)
    row = await listing.one(session, import_id, everything=viewer.everything, people=viewer.people)
    if row is None:
        return None
    sentence = view(row._mapping)
    return {
        "id": str(row.id),
        "mode": row.mode,
        "state": row.state,
        **{name: getattr(row, name) for name in _COUNTS},
        "message": {"vi": sentence.sentence_vi, "en": sentence.sentence_en},
    }


TOPICS: Final = {
    topic.name: topic
    for topic in (
        Topic("import", LEADS_IMPORT, _read, ended=lambda state: state["state"] not in ("running", "undoing")),
    )
}
"""What can be followed here."""
