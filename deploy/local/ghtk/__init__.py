"""A faithful fake of GHTK's server for tests, the demo and development: `deploy.local.carriers` in GHTK's dialect.

Run it:  `python -m deploy.local.ghtk --port 8111 --callback-url http://127.0.0.1:8103/… --speed 2 --drop-callback 0.3`
(every setting and every switch of `Faults` is a flag; see `--help`).

In a test: `async with GhtkSimulator() as ghtk`, and besides what every carrier simulator has (the control API, too):
`ghtk.headers` for its callers, `ghtk.token`, `ghtk.client_source`.

GHTK's API (headers `Token` and `X-Client-Source`; failures are HTTP 200 with `success: false`):
    POST /services/shipment/order/?ver=1.5
    GET  /services/shipment/fee
    GET  /services/shipment/list_pick_add
    GET  /services/shipment/v2/{label | partner_id:CODE | CODE}
    POST /services/shipment/cancel/{label | partner_id:CODE}
    GET  /services/label/{label}?original=portrait|landscape&paper_size=A5|A6

Its habits: a callback is a form or, with `callback_format` json, JSON; it is resent once. The creation itself is not
reported by callback: its answer says status 2. Status 6 says that the COD was paid out.
"""

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.life import Outcome
from deploy.local.carriers.model import OutcomeRates
from deploy.local.ghtk.dialect import create_app
from deploy.local.ghtk.life import Status
from deploy.local.ghtk.model import SimulatorSettings
from deploy.local.ghtk.server import GhtkSimulator

__all__ = ["Faults", "GhtkSimulator", "Outcome", "OutcomeRates", "SimulatorSettings", "Status", "create_app"]
