"""A faithful fake of GHN's server for tests, development and integrators: `deploy.local.carriers` in GHN's dialect.

Run it:  `python -m deploy.local.ghn --port 8114 --callback-url http://127.0.0.1:8103/… --speed 2 --drop-callback 0.3`
(every setting and every switch of `Faults` is a flag; see `--help`).

In a test: `async with GhnSimulator() as ghn`, and besides what every carrier simulator has (the control API, too):
`ghn.api_url`, `ghn.headers` for its callers, `ghn.token`, `ghn.shop_id`.

GHN's API (headers `Token` and mostly `ShopId`; `{code, message, data}`, failures with HTTP 400 or 401), under
/shiip/public-api:
    POST /v2/shipping-order/create | preview | fee | available-services | leadtime
    POST /v2/shipping-order/detail | detail-by-client-code | update | updateCOD
    POST /v2/switch-status/cancel | return | storing          POST /v2/a5/gen-token
    GET  /master-data/province | district | ward              (three tiers)
    GET  /v3/master-data/province/all | ward/all-by-province-id  (two tiers)
    GET  /v2/shop/all | /v2/shift/date                        GET /a5/public-api/printA5 | print80x80 | print52x70

Its habits: a `client_order_code` that is taken is answered with the order that lies under it, alive or cancelled; a
callback is JSON with times in UTC and is repeated ten times, five seconds apart; the creation is told by callback; a failed
pick-up is `ready_to_pick` with a reason; that the COD was paid out is a date in the detail (`kind` transfer in the control
API), told by callback only with `announce_transfer`.
"""

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.life import Outcome
from deploy.local.carriers.model import OutcomeRates
from deploy.local.ghn.dialect import create_app
from deploy.local.ghn.life import Status
from deploy.local.ghn.model import SimulatorSettings
from deploy.local.ghn.server import GhnSimulator

__all__ = ["Faults", "GhnSimulator", "Outcome", "OutcomeRates", "SimulatorSettings", "Status", "create_app"]
