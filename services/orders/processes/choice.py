"""Which process an order's care begins with: ordered rules, the first that fits wins, and a default.

The rules are asked in SQL, in the statement that begins care for a whole batch of orders; the preview asks with the very
same conditions, so that it cannot say anything else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.processes.errors import ProcessRetired, UnknownNames
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed

_TAGS_OF_ORDER: Final = """
(SELECT array_agg(coalesce(t.merged_into, t.id)) FROM order_tags k JOIN tags t ON t.id = ANY(k.tags) WHERE k.order_id = o.id)
"""
_CONDITIONS: Final = {
    "product": "(r.product_likes = '{}' OR lower(s.product) LIKE ANY(r.product_likes))",
    "channel": "(r.channels = '{}' OR s.channel = ANY(r.channels))",
    "campaign": "(r.campaigns = '{}' OR s.campaign = ANY(r.campaigns))",
    "landing_page": "(r.landing_pages = '{}' OR s.landing_page = ANY(r.landing_pages))",
    "tag": """(r.tags = '{}' OR s.tags && (
        SELECT array_agg(coalesce(w.merged_into, w.id)) FROM tags w WHERE w.id = ANY(r.tags)))""",
}
"""What a rule `r` asks of the subject `s`; a tag that was merged is what it became."""
_CURRENT: Final = "(SELECT version, fallback FROM process_choices ORDER BY version DESC LIMIT 1)"

CHOSEN: Final = f"""
SELECT coalesce(f.process, c.fallback) AS process, coalesce(f.name, '') AS chosen_by,
    (SELECT max(v.version) FROM process_versions v WHERE v.key = coalesce(f.process, c.fallback)) AS process_version
FROM {_CURRENT} c CROSS JOIN (
    SELECT o.product, o.channel, o.campaign, o.landing_page, {_TAGS_OF_ORDER} AS tags) s
LEFT JOIN LATERAL (
    SELECT r.process, r.name FROM process_choice_rules r
    WHERE r.version = c.version AND {" AND ".join(_CONDITIONS.values())}
    ORDER BY r.position LIMIT 1) f ON true
"""
"""The choice for an order `o`: process, process_version, chosen_by. For a LATERAL join."""

_SUBJECT_OF_ORDER: Final = f"""
SELECT o.product, o.channel, o.campaign, o.landing_page, {_TAGS_OF_ORDER} AS tags FROM orders o WHERE o.id = :order_id
"""
_SUBJECT: Final = """
SELECT CAST(:product AS text) AS product, CAST(:channel AS text) AS channel, CAST(:campaign AS text) AS campaign,
    CAST(:landing_page AS text) AS landing_page, CAST(:tags AS uuid[]) AS tags
"""
_ASK: Final = f"""
SELECT r.name, r.process, {", ".join(f"coalesce({condition}, false) AS {name}" for name, condition in _CONDITIONS.items())}
FROM {_CURRENT} c JOIN process_choice_rules r ON r.version = c.version CROSS JOIN (:subject) s ORDER BY r.position
"""
_ASK_ORDER: Final = text(_ASK.replace(":subject", _SUBJECT_OF_ORDER))
_ASK_SUBJECT: Final = text(_ASK.replace(":subject", _SUBJECT))
_HEAD: Final = text(
    f"""
SELECT c.version, c.fallback, h.at, h.by_code FROM {_CURRENT} c JOIN process_choices h ON h.version = c.version
"""
)
_RULES: Final = text(
    """
SELECT name, process, products, channels, campaigns, landing_pages, tags FROM process_choice_rules
WHERE version = :version ORDER BY position
"""
)
_KNOWN: Final = text(
    "SELECT key, retired_at FROM processes WHERE key = ANY(CAST(:keys AS text[])) ORDER BY key FOR SHARE"
)
_KNOWN_TAGS: Final = text("SELECT id FROM tags WHERE id = ANY(CAST(:ids AS uuid[]))")
_NEWEST: Final = text("SELECT max(version) FROM process_versions WHERE key = :key")
_ONE_AT_A_TIME: Final = text("LOCK TABLE process_choices IN SHARE ROW EXCLUSIVE MODE")
_SAVE: Final = text(
    "INSERT INTO process_choices (version, fallback, at, by_id, by_code) VALUES (:version, :fallback, :at, :by_id, :by)"
)
_SAVE_RULE: Final = text(
    """
INSERT INTO process_choice_rules
    (version, position, name, process, products, product_likes, channels, campaigns, landing_pages, tags)
VALUES (:version, :position, :name, :process, :products, :product_likes, :channels, :campaigns, :landing_pages, :tags)
"""
)

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[list[Word], Field(default_factory=list, max_length=100)]


class ChoiceRule(BaseModel):
    """All conditions must hold; an empty one holds always. In one condition, any of the values will do."""

    model_config = ConfigDict(extra="forbid")

    name: Word = Field(examples=["Mỹ phẩm từ Facebook"], description="shown where somebody asks why")
    process: str = Field(examples=["cosmetics"], max_length=40)
    products: Words = Field(examples=[["SERUM-*"]], description="product or group; `*` stands for anything")
    channels: Words = Field(examples=[["facebook_form", "facebook_chat"]])
    campaigns: Words
    landing_pages: Words
    tags: Annotated[list[UUID], Field(default_factory=list, max_length=100)]


class ChoiceBody(BaseModel):
    """The rules in their order, and the process of an order that none of them fits."""

    model_config = ConfigDict(extra="forbid")

    rules: list[ChoiceRule] = Field(max_length=100)
    default: str = Field(examples=["cod_standard"], max_length=40)


class Choice(ChoiceBody):
    version: int = Field(description="grows with each change; the ETag")
    at: datetime
    by_code: str


class AskedRule(BaseModel):
    name: str
    process: str
    fits: bool
    misses: list[str] = Field(examples=[["channel"]], description="the conditions that do not hold")


class Chosen(BaseModel):
    """Which process, and why."""

    process: str
    process_version: int
    rule: str = Field(description="the first rule that fits; empty: the default")
    vi: str = Field(examples=["Quy tắc “Mỹ phẩm từ Facebook” khớp đầu tiên, nên dùng quy trình “cosmetics”."])
    en: str
    rules: list[AskedRule] = Field(description="every rule in order, as it was asked")


async def current(session: ReadSession) -> Choice:
    """The rules in force."""
    head = (await session.execute(_HEAD)).one()
    rules = await session.execute(_RULES, {"version": head.version})
    return Choice(
        version=head.version,
        at=head.at,
        by_code=head.by_code,
        default=head.fallback,
        rules=[ChoiceRule.model_validate(dict(row._mapping)) for row in rules],
    )


async def save(session: Session, wanted: ChoiceBody, *, version: int, actor: Actor, at: datetime) -> Choice:
    """Puts other rules into force, for care that begins from now on.

    Args:
        version: of the rules that the editor has seen.

    Raises:
        PreconditionFailed: somebody changed them since.
        UnknownNames: a process or tag does not exist.
        ProcessRetired: a process is not to be used any more.
    """
    await session.execute(_ONE_AT_A_TIME)
    if (await current(session)).version != version:
        raise PreconditionFailed
    await _ensure_known(session, wanted)
    by = {"at": at, "by_id": actor.account_id, "by": actor.code}
    await session.execute(_SAVE, {"version": version + 1, "fallback": wanted.default, **by})
    rows = [
        {
            "version": version + 1,
            "position": position,
            **rule.model_dump(),
            "product_likes": [_like(product) for product in rule.products],
        }
        for position, rule in enumerate(wanted.rules, start=1)
    ]
    if rows:
        await session.execute(_SAVE_RULE, rows)
    return await current(session)


async def _ensure_known(session: Session, wanted: ChoiceBody) -> None:
    keys = sorted({wanted.default, *(rule.process for rule in wanted.rules)})
    known = {row.key: row.retired_at for row in await session.execute(_KNOWN, {"keys": keys})}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise UnknownNames(what="process", names=", ".join(unknown))
    retired = next((key for key in keys if known[key] is not None), None)
    if retired is not None:
        raise ProcessRetired(key=retired)
    tags = {tag for rule in wanted.rules for tag in rule.tags}
    strangers = tags - set((await session.execute(_KNOWN_TAGS, {"ids": list(tags)})).scalars())
    if strangers:
        raise UnknownNames(what="tag", names=", ".join(sorted(map(str, strangers))))


async def for_order(session: ReadSession, order_id: UUID) -> Chosen:
    """Which process the care of an order would begin with now."""
    return await _chosen(session, (await session.execute(_ASK_ORDER, {"order_id": order_id})).all())


async def for_subject(
    session: ReadSession, *, product: str, channel: str, campaign: str, landing_page: str, tags: list[UUID]
) -> Chosen:
    """The same for an order that might come."""
    values = {"product": product, "channel": channel, "campaign": campaign, "landing_page": landing_page, "tags": tags}
    return await _chosen(session, (await session.execute(_ASK_SUBJECT, values)).all())


async def _chosen(session: ReadSession, rows: Any) -> Chosen:
    asked = [
        AskedRule(
            name=row.name,
            process=row.process,
            fits=all(getattr(row, name) for name in _CONDITIONS),
            misses=[name for name in _CONDITIONS if not getattr(row, name)],
        )
        for row in rows
    ]
    rule = next((each for each in asked if each.fits), None)
    process = rule.process if rule is not None else (await session.execute(_HEAD)).one().fallback
    version = (await session.execute(_NEWEST, {"key": process})).scalar_one()
    if rule is not None:
        vi = f"Quy tắc “{rule.name}” khớp đầu tiên, nên dùng quy trình “{process}”."
        en = f"The rule “{rule.name}” is the first that fits, so it is the process “{process}”."
    else:
        vi = f"Không quy tắc nào khớp, nên dùng quy trình mặc định “{process}”."
        en = f"No rule fits, so it is the default process “{process}”."
    return Chosen(process=process, process_version=version, rule=rule.name if rule else "", vi=vi, en=en, rules=asked)


def _like(product: str) -> str:
    """A product with `*` as a pattern of LIKE, in lower case."""
    escaped = product.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")
