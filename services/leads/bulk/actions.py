"""What can be done with many leads at once. An action is a model of what the caller sends, and how it is done.

To add one: a subclass of `Action` with a `kind` of its own, in `AnyAction`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.leads import notes
from services.leads.driver import Connection
from services.leads.notes import NoteText
from services.leads.tags.tagging import tag_leads
from shared.auth import Principal
from shared.contracts.permissions import LEADS_EDIT

MAX_TAGS: Final = 50

Tags = Annotated[list[UUID], Field(min_length=1, max_length=MAX_TAGS)]


@dataclass(frozen=True, slots=True)
class Work:
    """The leads of a bulk action: visible to whoever asks, and locked until the commit."""

    connection: Connection
    leads: Sequence[UUID]
    who: Principal
    at: datetime


class Action(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid")

    @property
    def permission(self) -> str:
        """What whoever asks must be allowed."""
        return LEADS_EDIT

    @abstractmethod
    async def run(self, work: Work) -> set[UUID]:
        """Does it, set-based, in the transaction of `work`. Returns the leads that changed; the others were so already."""


class TagAction(Action):
    """Gives tags."""

    kind: Literal["tag"]
    tags: Tags

    async def run(self, work: Work) -> set[UUID]:
        return await tag_leads(work.connection, work.leads, add=self.tags, who=work.who, at=work.at)


class UntagAction(Action):
    """Takes tags away."""

    kind: Literal["untag"]
    tags: Tags

    async def run(self, work: Work) -> set[UUID]:
        return await tag_leads(work.connection, work.leads, remove=self.tags, who=work.who, at=work.at)


class NoteAction(Action):
    """Writes the same note on each."""

    kind: Literal["note"]
    text: NoteText

    async def run(self, work: Work) -> set[UUID]:
        await notes.add(work.connection, work.leads, note=self.text, who=work.who, at=work.at)
        return set(work.leads)


AnyAction = Annotated[TagAction | UntagAction | NoteAction, Field(discriminator="kind")]
