"""Which connection takes a parcel that nobody chose one for."""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.dependencies import Administrator, ContextDep, Reader
from services.shipping.choosing import PostingRule
from services.shipping.problems import UnknownConnection, UnknownPlace
from shared.errors import PreconditionFailed
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/posting-rules", tags=["connections"])

RULES_MAX: Final = 200
"""Rules are tried one after the other for each parcel, and a person has to understand them."""


class PostingRules(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[PostingRule] = Field(max_length=RULES_MAX, description="the first one that fits counts")


class PostingRulesView(PostingRules):
    version: int


_GET = text("SELECT rules, version FROM posting_rules")
_LOCK = text("SELECT version FROM posting_rules FOR UPDATE")
_PUT = text("UPDATE posting_rules SET rules = CAST(:rules AS jsonb), version = version + 1 RETURNING rules, version")
_CONNECTIONS = text("SELECT count(*) FROM carrier_connections WHERE id = ANY(:ids)")
_PLACES = text("SELECT id, connection_id FROM pick_up_places WHERE id = ANY(:ids)")


@router.get("", summary="The rules")
async def get_rules(context: ContextDep, _: Reader, response: Response) -> PostingRulesView:
    async with context.db.read() as session:
        view = PostingRulesView.model_validate(dict((await session.execute(_GET)).mappings().one()))
    tag(response, view.version)
    return view


@router.put("", summary="Replace the rules")
async def put_rules(
    body: PostingRules, context: ContextDep, _: Administrator, version: ExpectedVersion, response: Response
) -> PostingRulesView:
    """Without any rule, parcels go over the only enabled connection; with several, each has to be chosen."""
    ids = {rule.connection_id for rule in body.rules}
    wanted = {rule.pick_up_id: rule.connection_id for rule in body.rules if rule.pick_up_id is not None}
    async with context.db.transaction() as session:
        if (await session.execute(_LOCK)).scalar_one() != version:
            raise PreconditionFailed
        if (await session.execute(_CONNECTIONS, {"ids": list(ids)})).scalar_one() != len(ids):
            raise UnknownConnection
        held = {row.id: row.connection_id for row in await session.execute(_PLACES, {"ids": list(wanted)})}
        for place, connection in wanted.items():
            if held.get(place) != connection:
                raise UnknownPlace(pick_up_id=str(place))
        rules = orjson.dumps([rule.model_dump(mode="json") for rule in body.rules]).decode()
        view = PostingRulesView.model_validate(dict((await session.execute(_PUT, {"rules": rules})).mappings().one()))
    tag(response, view.version)
    return view
