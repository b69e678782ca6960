"""Finds what should have a workflow and has none, and nudges it: the repair after any restore."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio.client import Client

from services.leads.facebook.reconcile import reconcile_pages
from services.leads.imports.reconcile import reconcile_imports
from shared.db import Database


async def reconcile(db: Database, temporal: Client) -> Mapping[str, int]:
    """
    Returns:
        Kind → how many were nudged.

    Raises:
        RPCError: Temporal cannot be asked.
    """
    return {
        "facebook_pages": await reconcile_pages(db, temporal),
        "imports": await reconcile_imports(db, temporal),
    }
