"""The core of the carrier simulators: everything that is not one carrier's dialect.

A dialect is a package of its own (`deploy.local.ghtk`, `deploy.local.ghn`, …) with a `Dialect`: its road of statuses, its
HTTP routes, its waybills and fees, the bodies of its callbacks. What it need not do: remember parcels, live their lives,
throw dice for faults, send, repeat, lose, double, shuffle and delay callbacks, keep a clock, serve the control API.

In a test, on a real loopback port in the test's own event loop, with any dialect's simulator:

    async with GhtkSimulator(settings=SimulatorSettings(outcomes=OutcomeRates(delivered=1))) as carrier:
        carrier.base_url                               # for the adapter; and what the dialect wants of its callers
        carrier.send_callbacks_to(url)
        carrier.set_faults(Faults(create_timeout=0.3, drop_callback=0.3))
        carrier.set_outcomes(OutcomeRates(returned=1)) # for parcels created from now on
        await carrier.advance(steps=1)                 # every unfinished parcel takes a step now
        await carrier.advance_time(timedelta(days=2))  # what is due by then happens at its own time
        carrier.push("reference or waybill", 49, reason_code="122", callback=False)
        await carrier.drain()                          # until every callback was answered or given up
        carrier.shipment("reference or waybill"), carrier.shipments, carrier.stats

In process, under `httpx.ASGITransport`: the dialect's `create_app(settings=…, faults=…, wall=…, callback_transport=…)`,
and enter `app.router.lifespan_context(app)`; `app.state.simulation` is its inside.

Control API (JSON, no headers; a wrong body is 422, an unknown parcel 404):
    GET   /_simulator/shipments?after=0&limit=100&status=   {items: [row], next: int|null, total}
            row: sequence, waybill, reference, status, status_text, outcome, is_at_rest, cod, settled_cod,
            compensation, fee, insurance_fee, weight_gram, history: [{status, at, reason_code, partial, kind}]
    GET   /_simulator/shipments/{waybill | reference}              row
    POST  /_simulator/shipments/{…}/status                         row
            {status, reason_code?, partial?, cod?, at?, callback?: true, kind?: "status"}
    POST  /_simulator/advance      {steps: 1…100} or {seconds}     {moves, now}
    GET   /_simulator/faults       Faults
    PUT   /_simulator/faults       Faults; what is left out is switched off
    GET   /_simulator/settings     {callback_url, speed, outcomes, now, and what else the dialect can change}
    PATCH /_simulator/settings     {callback_url?, speed?, outcomes?, …}
    POST  /_simulator/callbacks/drain  {timeout_seconds?: 10}      {pending}
    GET   /_simulator/stats        the counters of `Stats`, callbacks_pending, shipments
    POST  /_simulator/reset        204; back to the settings and faults of the start

Time: simulated time is real time plus what `advance {seconds}` skipped. A step by `advance {steps}`, by speed or by
hand happens now, but at least one second after the parcel's previous one, because some carriers' times have no
fractions; a parcel moved many times within a second is therefore some seconds ahead of the clock.
"""
