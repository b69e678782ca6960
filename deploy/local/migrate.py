"""`python -m deploy.local.migrate leads orders …` brings the databases of several services to their newest schema.

The same as `python -m services.<name> migrate` for each, in one process: a Python process of the product takes more
than a second of CPU to start, a migration that has nothing to do a few milliseconds. For this reason no service is
imported whole, and what each loads besides is named here once more. The address of each database is
read from CHOT_DATABASE_URL_<NAME>, because it holds a password and command lines are public.
"""

import os
import sys
from collections.abc import Sequence

from deploy.local.program import ROOT
from services.orders.addresses.included import load_included
from shared import migrations

DATABASE_URL = "CHOT_DATABASE_URL_"
INCLUDED = {"orders": load_included}
"""`Service.included` by the name of the service."""


def main(services: Sequence[str]) -> None:
    """Migrate the databases of the services named."""
    for service in services:
        url = os.environ[f"{DATABASE_URL}{service.upper()}"]
        migrations.upgrade(ROOT / "services" / service / "migrations", url)
        if service in INCLUDED:
            migrations.include(INCLUDED[service], url)


if __name__ == "__main__":
    main(sys.argv[1:])
