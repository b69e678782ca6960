"""The lists that come with the program: loaded once, into a database that has none, when the service is migrated."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Final

from services.orders.addresses import store
from services.orders.addresses.loading import read_units
from services.orders.clock import utc_now
from shared.db import Database
from shared.telemetry import logger

log = logger(__name__)

SOURCE: Final = "https://github.com/tranngocminhhieu/vietnamadminunits 1.0.4"
LICENCE: Final = "MIT"
BY: Final = "system"
"""In place of the code of an account."""


def included_list() -> bytes:
    """The list of old units beside the new ones, as CSV; where it comes from is said in `data/README.md`."""
    return gzip.decompress(files("services.orders.addresses").joinpath("data", "changes_2025.csv.gz").read_bytes())


async def load_included(db: Database) -> None:
    """Loads the units of both eras, unless a list was loaded before: what a company has taken over stays as it is. Of two
    at once one waits and finds them there."""
    async with db.transaction() as session:
        if not await store.is_untouched(session):
            return
        content = included_list()
        loaded = await store.load(
            session,
            read_units(content.decode("utf-8"), file="changes"),
            file="changes",
            content=content,
            source=SOURCE,
            licence=LICENCE,
            by=BY,
            now=utc_now(),
        )
    log.info("the administrative units that come with the program were loaded", units=loaded.units)
