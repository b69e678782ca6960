"""Everything that the activity worker of leads offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.leads.facebook.activities import FacebookActivities
from services.leads.facebook.context import facebook_of
from services.leads.imports.activities import ImportActivities
from services.leads.imports.turn import Turns
from services.leads.imports.undo import Undo
from services.leads.state import parts_of
from shared.service import Runtime


def activities(runtime: Runtime[Any]) -> Sequence[Callable[..., Any]]:
    """The activities of this service, over an opened runtime."""
    facebook = FacebookActivities(facebook_of(runtime))
    turns = Turns(runtime.db, sources=parts_of(runtime).sources, window=runtime.settings.duplicate_window)
    imports = ImportActivities(turns, Undo(runtime.db), parts_of(runtime).streams.hints)
    return (facebook.advance, imports.advance, imports.choose, imports.remove)
