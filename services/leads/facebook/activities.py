"""What the workflow of a page has done."""

from __future__ import annotations

from services.leads.facebook import rounds
from services.leads.facebook.context import Facebook
from services.leads.facebook.view import view_of
from shared.contracts.activities import FACEBOOK_ADVANCE, Advance, FacebookPageRef, OperatorView
from shared.temporal import beating, implements

GONE = OperatorView(sentence_vi="Trang Facebook không còn.", sentence_en="The Facebook page is gone.")


class FacebookActivities:
    """Thin: asks the part that knows and puts the answer into the contract's words."""

    def __init__(self, facebook: Facebook) -> None:
        self._facebook = facebook

    @implements(FACEBOOK_ADVANCE)
    async def advance(self, page: FacebookPageRef) -> Advance:
        async with beating():
            standing = await rounds.advance(self._facebook, page.page_id)
        if standing is None:
            return Advance(done=True, view=GONE)
        view = view_of(standing, zone=self._facebook.settings.timezone)
        return Advance(done=False, next_due=standing.next_due, view=view)
