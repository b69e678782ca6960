"""A faithful fake of GHTK's server for tests, the demo and development.

Run it:  `python -m deploy.local.ghtk --port 8111 --callback-url http://127.0.0.1:8103/… --speed 2 --drop-callback 0.3`
(every switch of `Faults` is a flag; see `--help`).

In a test, on a real loopback port in the test's own event loop:

    async with GhtkSimulator(settings=SimulatorSettings(outcomes=OutcomeRates(delivered=1))) as ghtk:
        ghtk.base_url, ghtk.headers                  # for the adapter; also ghtk.token, ghtk.client_source
        ghtk.send_callbacks_to(url)
        ghtk.set_faults(Faults(create_timeout=0.3, drop_callback=0.3))
        ghtk.set_outcomes(OutcomeRates(returned=1))  # for shipments created from now on
        await ghtk.advance(steps=1)                  # every unfinished shipment takes a step now
        await ghtk.advance_time(timedelta(days=2))   # what is due by then happens at its own time
        ghtk.push("partner id or label", 49, reason_code="122", callback=False)
        await ghtk.drain()                           # until every callback was answered or given up
        ghtk.shipment("partner id or label"), ghtk.shipments, ghtk.stats

In process, under `httpx.ASGITransport`: `create_app(settings=…, faults=…, wall=…, callback_transport=…)`, and enter
`app.router.lifespan_context(app)`; `app.state.simulation` is its inside. A cut connection is then
`httpx.RemoteProtocolError`, as over the network.

GHTK's API (headers `Token` and `X-Client-Source`; failures are HTTP 200 with `success: false`):
    POST /services/shipment/order/?ver=1.5
    GET  /services/shipment/fee
    GET  /services/shipment/list_pick_add
    GET  /services/shipment/v2/{label | partner_id:CODE | CODE}
    POST /services/shipment/cancel/{label | partner_id:CODE}
    GET  /services/label/{label}?original=portrait|landscape&paper_size=A5|A6

Control API (JSON, no headers; a wrong body is 422, an unknown shipment 404):
    GET   /_simulator/shipments?after=0&limit=100&status_id=   {items: [row], next: int|null, total}
            row: sequence, label, partner_id, status_id, status_text, outcome, is_at_rest, pick_money, settled_cod,
            compensation, fee, insurance_fee, weight_gram,
            history: [{status_id, action_time, reason_code, return_part_package}]
    GET   /_simulator/shipments/{label | partner_id:CODE | CODE}          row
    POST  /_simulator/shipments/{…}/status                                row
            {status_id, reason_code?, return_part_package?, pick_money?, action_time?, callback?: true}
    POST  /_simulator/advance      {steps: 1…100} or {seconds}            {moves, now}
    GET   /_simulator/faults       Faults
    PUT   /_simulator/faults       Faults; what is left out is switched off
    GET   /_simulator/settings     {callback_url, callback_format, speed, outcomes, now}
    PATCH /_simulator/settings     {callback_url?, callback_format?: form|json, speed?, outcomes?}
    POST  /_simulator/callbacks/drain  {timeout_seconds?: 10}             {pending}
    GET   /_simulator/stats        the counters of `Stats`, callbacks_pending, shipments
    POST  /_simulator/reset        204; back to the settings and faults of the start

Faults (rates 0…1 unless seconds or text): create_timeout, create_timeout_seconds, refuse_creation, refusal_message,
cancelled_twin, error_before, error_after, slow_answer, slow_answer_seconds, drop_callback, duplicate_callback,
shuffle_callback, shuffle_hold_seconds, delay_callback, delay_callback_seconds.

Time: simulated time is real time plus what `advance {seconds}` skipped. A step by `advance {steps}`, by speed or by
hand happens now, but at least one second after the shipment's previous one, because GHTK's action times have no
fractions; a shipment moved many times within a second is therefore some seconds ahead of the clock.
The creation itself is not reported by callback: its answer says status 2.
"""

from deploy.local.ghtk.app import create_app
from deploy.local.ghtk.faults import Faults
from deploy.local.ghtk.life import Outcome, Status
from deploy.local.ghtk.model import OutcomeRates, SimulatorSettings
from deploy.local.ghtk.server import GhtkSimulator

__all__ = ["Faults", "GhtkSimulator", "Outcome", "OutcomeRates", "SimulatorSettings", "Status", "create_app"]
