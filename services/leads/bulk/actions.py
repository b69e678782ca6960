"""What can be done with many leads at once. An action is a model of what the caller sends, and how it is done.

To add one: a subclass of `Action` with a `kind` of its own, in `AnyAction`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.leads import notes
from services.leads.changes import spam
from services.leads.changes.errors import PastCare
from services.leads.changes.facts import SpamKind
from services.leads.changes.held import By
from services.leads.changes.product import set_product
from services.leads.driver import Connection
from services.leads.intake.items import MAX_PRODUCT
from services.leads.notes import NoteText
from services.leads.repository.leads import EVERYTHING
from services.leads.tags.tagging import tag_leads
from services.leads.text import cell
from services.leads.transfers import at_once
from services.leads.transfers.at_once import Target
from shared.auth import Principal
from shared.contracts.permissions import LEADS_DISTRIBUTE, LEADS_EDIT

MAX_TAGS: Final = 50
MAX_LEADS: Final = 5_000
"""Leads of one action: a transaction of about a second, and an answer of half a megabyte."""
MAX_JUDGED: Final = 1_000
"""Leads of one action that locks their numbers and the pools in which they wait, for which arrivals have to wait."""

Tags = Annotated[list[UUID], Field(min_length=1, max_length=MAX_TAGS)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


@dataclass(frozen=True, slots=True)
class Work:
    """The leads of a bulk action: visible to whoever asks, and locked until the commit unless the action `locks`."""

    connection: Connection
    leads: Sequence[UUID]
    who: Principal
    at: datetime
    window: timedelta
    """Length of the duplicate window as long as the company has not set one."""

    def by(self, reason: str) -> By:
        return By(self.at, reason, self.who.account_id, self.who.code)


@dataclass(frozen=True, slots=True)
class Effect:
    """The leads that changed, and a code for those of which there is more to say: why one was refused, or what else is to
    be known of one that changed. The others were so already."""

    changed: Collection[UUID]
    reasons: Mapping[UUID, str] = field(default_factory=dict)


class Action(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid")

    permission: ClassVar[str] = LEADS_EDIT
    """What whoever asks must be allowed."""
    most: ClassVar[int] = MAX_LEADS
    """Leads of one action."""
    locks: ClassVar[bool] = False
    """Whether it locks the leads itself, because others rows have to be locked before them."""

    @abstractmethod
    async def run(self, work: Work) -> Effect:
        """Does it, set-based, in the transaction of `work`."""


class TagAction(Action):
    """Gives tags."""

    kind: Literal["tag"]
    tags: Tags

    async def run(self, work: Work) -> Effect:
        return Effect(await tag_leads(work.connection, work.leads, add=self.tags, who=work.who, at=work.at))


class UntagAction(Action):
    """Takes tags away."""

    kind: Literal["untag"]
    tags: Tags

    async def run(self, work: Work) -> Effect:
        return Effect(await tag_leads(work.connection, work.leads, remove=self.tags, who=work.who, at=work.at))


class NoteAction(Action):
    """Writes the same note on each."""

    kind: Literal["note"]
    text: NoteText

    async def run(self, work: Work) -> Effect:
        await notes.add(work.connection, work.leads, note=self.text, who=work.who, at=work.at)
        return Effect(work.leads)


class ProductAction(Action):
    """Sets the product that each asks for."""

    most = MAX_JUDGED
    locks = True

    kind: Literal["product"]
    product: str = Field(max_length=2_000, description="empty: none is known")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""

    async def run(self, work: Work) -> Effect:
        product = cell(self.product, MAX_PRODUCT)
        return Effect(
            await set_product(work.connection, work.leads, product, by=work.by(self.reason), window=work.window)
        )


class SpamAction(Action):
    """Marks each as spam: it counts against its source, and nobody calls it any more."""

    most = MAX_JUDGED
    locks = True

    kind: Literal["spam"]
    spam: SpamKind
    reason: Reason

    async def run(self, work: Work) -> Effect:
        marked = await spam.mark(work.connection, work.leads, self.spam, by=work.by(self.reason), window=work.window)
        return Effect(marked.changed, dict.fromkeys(marked.past_care, PastCare.type))


class MovingAction(Action):
    permission = LEADS_DISTRIBUTE
    most = at_once.MAX_LEADS
    locks = True

    reason: Reason

    @property
    @abstractmethod
    def target(self) -> Target:
        """Where the leads go."""

    async def run(self, work: Work) -> Effect:
        moved = await at_once.move(
            work.connection, EVERYTHING, work.leads, self.target, who=work.who, reason=self.reason
        )
        changed = {lead_id for lead_id, one in moved.items() if one.result in ("given", "released", "waiting")}
        told = ("waiting", "duplicate", "ended", "not-found")
        return Effect(changed, {lead_id: one.result for lead_id, one in moved.items() if one.result in told})


class ReassignAction(MovingAction):
    """Gives each to a colleague."""

    kind: Literal["reassign"]
    owner_id: UUID

    @property
    def target(self) -> Target:
        return self.owner_id


class ReleaseAction(MovingAction):
    """Takes each from its owner: somebody else gets it by the pools' rules, or whoever claims it."""

    kind: Literal["release"]
    to: Literal["pools", "floating_pool"]

    @property
    def target(self) -> Target:
        return self.to


AnyAction = Annotated[
    TagAction | UntagAction | NoteAction | ProductAction | SpamAction | ReassignAction | ReleaseAction,
    Field(discriminator="kind"),
]
