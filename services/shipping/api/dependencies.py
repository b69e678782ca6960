"""What routes have in common."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request

from services.shipping.context import Context, context_of
from shared.auth import Principal, require
from shared.contracts.permissions import SHIPPING_ADMIN, SHIPPING_READ, SHIPPING_WRITE
from shared.errors import Language, language_of


def _context(request: Request) -> Context:
    return context_of(request.app.state.runtime)


ContextDep = Annotated[Context, Depends(_context)]
LanguageDep = Annotated[Language, Depends(language_of)]
Reader = Annotated[Principal, Depends(require(SHIPPING_READ))]
Writer = Annotated[Principal, Depends(require(SHIPPING_WRITE))]
Administrator = Annotated[Principal, Depends(require(SHIPPING_ADMIN))]
Limit = Annotated[int, Query(ge=1, le=200, description="rows of a page")]
After = Annotated[UUID | None, Query(description="'next' of the page before")]

VISIBLE = """(:sees_all OR o.closer_id = :viewer OR o.owner_id = :viewer
    OR o.closer_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer)
    OR o.owner_id IN (SELECT account_id FROM staff_closure WHERE superior_id = :viewer))"""
"""One sees the parcels of the orders that oneself or somebody below oneself closed, or holds now; `o` is
shippable_orders."""


def visible_to(who: Principal) -> dict[str, object]:
    """The parameters of `VISIBLE`."""
    return {"sees_all": who.sees_all, "viewer": who.account_id}
