"""A faithful fake of ViettelPost's server for tests, the demo and development: `deploy.local.carriers` in its dialect.

Run it:  `python -m deploy.local.viettelpost --port 8115 --callback-url http://127.0.0.1:8103/… --drop-callback 0.3`
(every setting and every switch is a flag; see `--help`).

In a test: `async with ViettelPostSimulator() as viettelpost`, and besides what every carrier simulator has (the control
API, too): `viettelpost.account` for the connection, `viettelpost.end_all_tokens()`.

ViettelPost's API (header `Token`; failures are HTTP 200 with `error: true`, prices a list without an envelope):
    POST /v2/user/Login, /v2/user/ownerconnect, /v2/user/LoginVTP
    GET  /v2/user/listInventory
    POST /v2/categories/listService
    GET  /v2/categories/listProvinceById, listDistrict?provinceId=, listWards?districtId=
    GET  /v3/categories/listProvinceNew, listWardsNew?provinceId=
    POST /v2/order/getPriceAll, getPriceAllNlp
    POST /v2/order/createOrder, createOrderNlp       with CHECK_UNIQUE a taken number is refused, without it there are two
    POST /v2/order/UpdateOrder                       TYPE 2 return, 3 deliver again (both from 505), 4 cancel
    GET  /v2/order/registerOrderHook?oid=            pushes the journey once more
    POST /v2/order/printing-code → GET /DigitalizePrint/report.do?type=&bill=

Its habits: no status can be asked for, and a refusal of a taken number does not name its waybill; callbacks write local
times without a zone and change their spelling (`callback_wobble`); tokens end by time, or all at once with another
`token_generation`, which is told in the envelope or as HTTP 401 (`expired_as`); no status says that the COD was paid out.
"""

from deploy.local.carriers.life import Outcome
from deploy.local.carriers.model import OutcomeRates
from deploy.local.viettelpost.dialect import create_app
from deploy.local.viettelpost.life import Status
from deploy.local.viettelpost.model import SimulatorFaults, SimulatorSettings
from deploy.local.viettelpost.server import ViettelPostSimulator

__all__ = [
    "Outcome",
    "OutcomeRates",
    "SimulatorFaults",
    "SimulatorSettings",
    "Status",
    "ViettelPostSimulator",
    "create_app",
]
