"""Care processes as a manager edits them: drafts, the checker, versions, and which process an order gets."""
