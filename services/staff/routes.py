"""The routes of staff, in the order in which they are tried."""

from __future__ import annotations

from typing import Final

from services.staff.api import accounts, groups, keys, me, shifts, sign_in

ROUTERS: Final = (sign_in.router, keys.router, me.router, accounts.router, groups.router, shifts.router)
