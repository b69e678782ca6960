"""One Facebook page: fetches the leads that it announced and reads through its forms, round after round."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import FACEBOOK_ADVANCE, FacebookPageRef
from shared.contracts.workflows import FACEBOOK, FacebookInput
from workflows.calls import call, show
from workflows.nudged import Nudged


@workflow.defn(name=FACEBOOK.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class FacebookPageWorkflow(Nudged):
    """Which leads are to be fetched, and when the forms are read next, is the database's knowledge."""

    @workflow.run
    async def run(self, input: FacebookInput) -> None:
        """Until the page is disconnected."""
        page = FacebookPageRef(page_id=input.page_id)
        while True:
            self.nudged = False
            advance = await call(FACEBOOK_ADVANCE, page)
            show(advance.view)
            if advance.done:
                return
            await self.wait(advance.next_due, summary="next round")
            if await self.is_long(history_limit=input.history_limit):
                workflow.continue_as_new(input.model_copy(update={"continued": input.continued + 1}))
