"""One Facebook page: fetches the leads that it announced and reads through its forms, round after round."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import VersioningBehavior

from shared.contracts.activities import FACEBOOK_ADVANCE, FacebookPageRef
from shared.contracts.workflows import FACEBOOK, FacebookInput
from workflows.nudged import Nudged


@workflow.defn(name=FACEBOOK.name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class FacebookPageWorkflow(Nudged):
    """Which leads are to be fetched, and when the forms are read next, is the database's knowledge."""

    @workflow.run
    async def run(self, input: FacebookInput) -> None:
        """Until the page is disconnected."""
        await self.go_round(FACEBOOK_ADVANCE, FacebookPageRef(page_id=input.page_id), input=input)
