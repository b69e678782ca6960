"""Records the answers and callbacks of the simulated GHTK as files: `python -m tests.contracts.ghtk_samples`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deploy.local.ghtk import Faults, OutcomeRates, SimulatorSettings, create_app

SAMPLES = Path(__file__).parent / "ghtk"
_MOMENT = datetime(2026, 11, 5, 2, 30, tzinfo=UTC)
_CALLBACK_URL = "http://shop.test/callbacks"

REQUEST: dict[str, Any] = {
    "products": [
        {"name": "Kem dưỡng ẩm 50 ml", "weight": 0.25, "quantity": 2, "price": 190_000, "product_code": "KD-50"},
        {"name": "Sữa rửa mặt", "weight": 0.15, "quantity": 1, "price": 120_000, "product_code": "SRM-01"},
    ],
    "order": {
        "id": "019a5b3c7d10-1",
        "pick_name": "Kho Cầu Giấy",
        "pick_tel": "0900000001",
        "pick_address": "12 Trần Thái Tông",
        "pick_province": "Hà Nội",
        "pick_ward": "Phường Cầu Giấy",
        "pick_money": 500_000,
        "name": "Trần Thị Mẫu",
        "tel": "0900000099",
        "address": "Số 5 đường Mẫu",
        "province": "Đà Nẵng",
        "ward": "Phường Hải Châu",
        "hamlet": "Khác",
        "is_freeship": 1,
        "value": 500_000,
        "note": "Cho xem hàng, gọi trước khi giao",
        "tags": [1, 10],
        "weight_option": "kilogram",
    },
}
_PARTNER_ID: str = REQUEST["order"]["id"]


@dataclass
class _Recorder:
    """One fresh simulator at a fixed moment, and what it posted."""

    faults: Faults = field(default_factory=Faults)
    outcomes: OutcomeRates = field(default_factory=lambda: OutcomeRates(delivered=1))
    callback_format: str = "form"
    posted: list[str] = field(default_factory=list)

    async def run(self, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        def receive(request: httpx.Request) -> httpx.Response:
            self.posted.append(request.content.decode())
            return httpx.Response(200)

        settings = SimulatorSettings.model_validate(
            {"outcomes": self.outcomes, "callback_url": _CALLBACK_URL, "callback_format": self.callback_format}
        )
        app = create_app(
            settings=settings,
            faults=self.faults,
            wall=lambda: _MOMENT,
            callback_transport=httpx.MockTransport(receive),
        )
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://ghtk.test",
                headers={"Token": settings.token, "X-Client-Source": settings.client_source},
            ) as client,
        ):
            await story(client)
            await app.state.simulation.sender.drain()


async def record() -> dict[str, str]:
    """File name → content, the same on every run."""
    samples = {"create_request.json": _pretty(REQUEST)}
    await _record_answers(samples)
    await _record_failures(samples)
    await _record_callbacks(samples)
    return samples


async def _record_answers(samples: dict[str, str]) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        async def keep(name: str, method: str, path: str, **arguments: Any) -> None:
            samples[name] = _pretty((await client.request(method, path, **arguments)).json())

        create, track = "/services/shipment/order/?ver=1.5", f"/services/shipment/v2/{_PARTNER_ID}"
        cancel = "/services/shipment/cancel/partner_id:"
        await keep("unauthorised.json", "GET", track, headers={"Token": "wrong"})
        await keep("create_response.json", "POST", create, json=REQUEST)
        await keep("create_duplicate.json", "POST", create, json=REQUEST)
        await keep("create_invalid.json", "POST", create, json={**REQUEST, "order": {**REQUEST["order"], "tel": ""}})
        await keep("status_received.json", "GET", track)
        await keep("status_unknown_reference.json", "GET", "/services/shipment/v2/nobody")
        await keep("label_unknown_reference.json", "GET", "/services/label/nobody")
        await keep("pick_up_addresses.json", "GET", "/services/shipment/list_pick_add")
        query = {"pick_province": "Hà Nội", "province": "Đà Nẵng", "weight": "650", "value": "2000000"}
        await keep("fee_response.json", "GET", "/services/shipment/fee", params=query)
        await client.post("/_simulator/advance", json={"steps": 6})
        await keep("status_delivered.json", "GET", track)
        await keep("cancel_picked_up.json", "POST", f"{cancel}{_PARTNER_ID}")
        other = {**REQUEST, "order": {**REQUEST["order"], "id": "019a5b3c7d10-2"}}
        await client.post(create, json=other)
        await keep("cancel_accepted.json", "POST", f"{cancel}019a5b3c7d10-2")
        await keep("cancel_already_cancelled.json", "POST", f"{cancel}019a5b3c7d10-2")

    await _Recorder().run(story)


async def _record_failures(samples: dict[str, str]) -> None:
    for name, faults in (
        ("create_refused.json", Faults(refuse_creation=1)),
        ("create_cancelled_twin.json", Faults(cancelled_twin=1)),
        ("bad_gateway.html", Faults(error_before=1)),
    ):

        async def story(client: httpx.AsyncClient, name: str = name) -> None:
            response = await client.post("/services/shipment/order/?ver=1.5", json=REQUEST)
            samples[name] = _pretty(response.json()) if name.endswith("json") else response.text + "\n"

        await _Recorder(faults=faults).run(story)


async def _record_callbacks(samples: dict[str, str]) -> None:
    async def whole_life(client: httpx.AsyncClient) -> None:
        await client.post("/services/shipment/order/?ver=1.5", json=REQUEST)
        await client.post("/_simulator/advance", json={"seconds": 60 * 86_400})

    async def cancelled(client: httpx.AsyncClient) -> None:
        await client.post("/services/shipment/order/?ver=1.5", json=REQUEST)
        await client.post(f"/services/shipment/cancel/{_PARTNER_ID}")

    def pushed(**change: Any) -> Callable[[httpx.AsyncClient], Awaitable[None]]:
        async def story(client: httpx.AsyncClient) -> None:
            await client.post("/services/shipment/order/?ver=1.5", json=REQUEST)
            await client.post(f"/_simulator/shipments/{_PARTNER_ID}/status", json=change)

        return story

    for outcome in OutcomeRates.model_fields:
        outcomes = OutcomeRates.model_validate({outcome: 1})
        samples[f"callbacks_{outcome}.form"] = await _posted(_Recorder(outcomes=outcomes), whole_life)
    samples["callbacks_delivered.jsonl"] = await _posted(_Recorder(callback_format="json"), whole_life)
    samples["callback_cancelled.form"] = await _posted(_Recorder(), cancelled)
    partial = {"status": 5, "partial": True, "cod": 380_000}
    samples["callback_partial.form"] = await _posted(_Recorder(), pushed(**partial))
    samples["callback_partial.json"] = await _posted(_Recorder(callback_format="json"), pushed(**partial))
    samples["callback_unknown_status.form"] = await _posted(_Recorder(), pushed(status=99))


async def _posted(recorder: _Recorder, story: Callable[[httpx.AsyncClient], Awaitable[None]]) -> str:
    await recorder.run(story)
    return "".join(f"{body}\n" for body in recorder.posted)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write() -> None:
    for name, content in asyncio.run(record()).items():
        (SAMPLES / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write()
