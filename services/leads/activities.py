"""Everything that the activity worker of leads offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.leads.facebook.activities import FacebookActivities
from services.leads.facebook.context import facebook_of
from shared.service import Runtime


def activities(runtime: Runtime[Any]) -> Sequence[Callable[..., Any]]:
    """The activities of this service, over an opened runtime."""
    facebook = FacebookActivities(facebook_of(runtime))
    return (facebook.advance,)
