"""A faithful fake of a telephone system, in Stringee's format, for tests, development and integrators.

Run it:  `python -m deploy.local.telephone --port 8113 --doubled 0.3 --reordered 0.3` (every switch of `Faults` is a flag;
see `--help`). docs/orders/telephony.md says how to connect it.

In a test without a network: `Stringee().outgoing("nv01", "0912345678", at=…, talks=60)` gives the events of a call,
`Stringee().client()` is an HTTP client whose clicks to call reach it, `Network` loses, doubles and shuffles events.
`Exchange` tells them to a hook over HTTP as they take place.

As Stringee (header `X-STRINGEE-AUTH`):
    POST /v1/call2/callout                {from: {number: user}, to: [{number}], customData}

Control API (JSON, no headers):
    GET   /_simulator/stats               PUT  /_simulator/faults
    GET   /_simulator/settings            PATCH /_simulator/settings  {hook_url?, pace?, rings?, talks?, cause?, token?}
    POST  /_simulator/outgoing            {user, phone, rings?, talks?, cause?}     {call_id}
    POST  /_simulator/incoming            {user, phone, rings?, talks?, cause?}     {call_id}
    POST  /_simulator/drain               204 once every call has ended and was told
"""

from deploy.local.telephone.app import create_app
from deploy.local.telephone.exchange import Exchange
from deploy.local.telephone.faults import Faults
from deploy.local.telephone.model import Settings, SettingsChange
from deploy.local.telephone.network import Network
from deploy.local.telephone.stringee import Stringee

__all__ = ["Exchange", "Faults", "Network", "Settings", "SettingsChange", "Stringee", "create_app"]
