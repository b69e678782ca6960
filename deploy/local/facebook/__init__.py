"""A faithful fake of Facebook for tests, the demo and development: Graph API, webhooks, and what goes wrong with both.

Run it:  `python -m deploy.local.facebook --port 8112 --drop-push 0.4` (every switch of `Faults` is a flag; see `--help`).

In a test, on a real loopback port in the test's own event loop:

    async with FacebookSimulator() as facebook:
        world = facebook.world
        facebook.graph_url, world.settings.app_id, world.settings.app_secret   # for the service
        page = world.add_page()                                 # page.id, page.token
        form = world.add_form(page)
        await world.enter_callback(url, verify_token)           # Meta's handshake; raises if it is not answered rightly
        world.submit(form, phone="0912345678")                  # a customer sends the form; pushed, if subscribed
        world.write(page, psid, "số em 0912345678")             # a customer writes
        world.set_faults(Faults(drop_push=0.4))
        world.renew_token(page)                                 # the old one has ended
        page.subscribed_fields = ()                             # our app was dropped
        await world.sender.drain()                              # until every push was answered or given up

Graph API (`Authorization: Bearer` or `access_token`, and `appsecret_proof`), under any version:
    GET  /v…/{page}?fields=…              GET  /v…/{page}/leadgen_forms
    GET  /v…/{form}/leads                 GET  /v…/{leadgen}
    GET  /v…/{page}/subscribed_apps       POST /v…/{page}/subscribed_apps

Control API (JSON, no headers):
    GET  /_simulator/stats                PUT  /_simulator/faults
    POST /_simulator/pages                {page_id?, name?}                    {page_id, access_token, app_id, app_secret}
    POST /_simulator/forms                {page_id, name?}                     {form_id}
    POST /_simulator/leads                {form_id, phone, name?, fields?}     {leadgen_id}
    POST /_simulator/messages             {page_id, psid, text}                {mid}
    POST /_simulator/callback             {url, verify_token}                  204, or 422 when the handshake fails
    POST /_simulator/pages/{page}/expire-token | drop-subscription             204
"""

from deploy.local.facebook.app import create_app
from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import Form, Lead, Page, SimulatorSettings
from deploy.local.facebook.server import FacebookSimulator

__all__ = ["FacebookSimulator", "Faults", "Form", "Lead", "Page", "SimulatorSettings", "create_app"]
