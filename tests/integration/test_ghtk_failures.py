"""The simulated GHTK fails over real sockets the way a distant server does."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.carriers.simulation import Simulation
from deploy.local.ghtk import Faults, GhtkSimulator, OutcomeRates, SimulatorSettings
from deploy.local.ghtk.__main__ import ENTRY
from tests.integration.ghtk_support import ORDER_PATH, creation_body, open_shop


@pytest.fixture
async def ghtk() -> AsyncIterator[GhtkSimulator]:
    settings = SimulatorSettings(outcomes=OutcomeRates(delivered=1), resend_after_seconds=0)
    async with GhtkSimulator(settings=settings) as simulator:
        yield simulator


@pytest.fixture
async def client(ghtk: GhtkSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=ghtk.base_url, headers=ghtk.headers, timeout=5) as client:
        yield client


async def test_a_timed_out_creation_exists_and_its_repetition_finds_it(
    ghtk: GhtkSimulator, client: httpx.AsyncClient
) -> None:
    ghtk.set_faults(Faults(create_timeout=1))
    with pytest.raises(httpx.TransportError):
        await client.post(ORDER_PATH, json=creation_body("DH-1"))
    again = (await client.post(ORDER_PATH, json=creation_body("DH-1"))).json()
    assert again["error"]["ghtk_label"] == ghtk.shipment("DH-1").waybill
    assert len(ghtk.shipments) == 1


async def test_a_caller_with_patience_left_sees_the_connection_closed(
    ghtk: GhtkSimulator, client: httpx.AsyncClient
) -> None:
    ghtk.set_faults(Faults(create_timeout=1, create_timeout_seconds=0.05))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.post(ORDER_PATH, json=creation_body("DH-1"))


async def test_a_caller_without_patience_times_out(ghtk: GhtkSimulator, client: httpx.AsyncClient) -> None:
    ghtk.set_faults(Faults(create_timeout=1, create_timeout_seconds=600))
    with pytest.raises(httpx.ReadTimeout):
        # Patience enough for a busy machine to hear of the order before it is hung up on.
        await client.post(ORDER_PATH, json=creation_body("DH-1"), timeout=httpx.Timeout(60, read=2))
    assert ghtk.shipment("DH-1").status == 2


async def test_the_simulator_stops_while_answers_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    held_back = asyncio.Event()
    pause = Simulation.pause

    async def observed_pause(self: Simulation, seconds: float) -> None:
        held_back.set()
        await pause(self, seconds)

    monkeypatch.setattr(Simulation, "pause", observed_pause)
    faults = Faults(create_timeout=1, create_timeout_seconds=600)
    async with httpx.AsyncClient(timeout=60) as client, asyncio.timeout(5):
        async with GhtkSimulator(faults=faults) as ghtk:
            url = f"{ghtk.base_url}{ORDER_PATH}"
            call = asyncio.create_task(client.post(url, json=creation_body("DH-1"), headers=ghtk.headers))
            await held_back.wait()
        with pytest.raises(httpx.TransportError):
            await call


async def test_a_slow_answer_comes_after_the_work(ghtk: GhtkSimulator, client: httpx.AsyncClient) -> None:
    ghtk.set_faults(Faults(slow_answer=1, slow_answer_seconds=600))
    with pytest.raises(httpx.ReadTimeout):
        await client.post(ORDER_PATH, json=creation_body("DH-1"), timeout=httpx.Timeout(60, read=2))
    assert ghtk.shipment("DH-1").status == 2
    ghtk.set_faults(Faults(slow_answer=1, slow_answer_seconds=0.01))
    assert (await client.get("/services/shipment/v2/DH-1")).json()["success"] is True


async def test_an_error_before_the_work_leaves_nothing(ghtk: GhtkSimulator, client: httpx.AsyncClient) -> None:
    ghtk.set_faults(Faults(error_before=1))
    response = await client.post(ORDER_PATH, json=creation_body("DH-1"))
    assert response.is_server_error
    assert "json" not in response.headers["content-type"]
    assert ghtk.shipments == []


async def test_an_error_after_the_work_hides_a_shipment(ghtk: GhtkSimulator, client: httpx.AsyncClient) -> None:
    ghtk.set_faults(Faults(error_after=1))
    assert (await client.post(ORDER_PATH, json=creation_body("DH-1"))).is_server_error
    assert ghtk.shipment("DH-1").status == 2
    assert (await client.post("/services/shipment/cancel/DH-1")).is_server_error
    assert ghtk.shipment("DH-1").status == -1


async def test_a_refused_creation_says_why_and_leaves_nothing() -> None:
    async with open_shop(faults=Faults(refuse_creation=1, refusal_message="Kho tạm ngưng nhận hàng")) as shop:
        answer = await shop.create("DH-1")
        assert (answer["success"], answer["message"]) == (False, "Kho tạm ngưng nhận hàng")
        assert (await shop.track("DH-1"))["success"] is False


async def test_a_cancelled_twin_already_has_the_reference() -> None:
    async with open_shop(faults=Faults(cancelled_twin=1)) as shop:
        answer = await shop.create("DH-1")
        assert (answer["success"], answer["error"]["code"], answer["error"]["status"]) == (False, "ORDER_ID_EXIST", -1)
        assert (await shop.track("DH-1"))["order"]["status"] == "-1"
        assert shop.receiver.requests == []


async def test_in_process_a_cut_connection_is_the_same_exception() -> None:
    async with open_shop(faults=Faults(create_timeout=1)) as shop:
        with pytest.raises(httpx.RemoteProtocolError):
            await shop.create("DH-1")
        assert (await shop.track("DH-1"))["success"] is True


async def test_a_shop_that_repeats_every_unknown_creation_has_each_shipment_once(
    ghtk: GhtkSimulator, client: httpx.AsyncClient
) -> None:
    ghtk.set_faults(Faults(create_timeout=0.3, error_before=0.1, error_after=0.1))

    async def create(partner_id: str) -> str:
        while True:
            try:
                response = await client.post(ORDER_PATH, json=creation_body(partner_id))
            except httpx.TransportError:
                continue
            if response.is_server_error:
                continue
            answer = response.json()
            return str(answer["order"]["label"] if answer["success"] else answer["error"]["ghtk_label"])

    references = [f"DH-{number}" for number in range(200)]
    labels = await asyncio.gather(*map(create, references))
    assert len(set(labels)) == len(references)
    assert sorted(shipment.waybill for shipment in ghtk.shipments) == sorted(labels)
    assert ghtk.stats.timed_out > 20
    assert ghtk.stats.errors_before > 0
    assert ghtk.stats.errors_after > 0


async def test_an_unreachable_receiver_is_tried_twice(ghtk: GhtkSimulator, client: httpx.AsyncClient) -> None:
    ghtk.send_callbacks_to("http://127.0.0.1:1/nobody")
    await client.post(ORDER_PATH, json=creation_body("DH-1"))
    await ghtk.advance(steps=1)
    await ghtk.drain()
    assert (ghtk.stats.callbacks_sent, ghtk.stats.callbacks_given_up) == (2, 1)


async def test_the_program_serves_says_nothing_of_customers_and_ends_on_sigterm() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local.ghtk", "--port", "0", "--refuse-creation", "1", stderr=PIPE, stdout=PIPE
    )
    assert program.stderr is not None
    log = ""
    try:
        async with asyncio.timeout(30):
            while not (found := re.search(r"running on (http://[\d.:]+)", log)):
                line = (await program.stderr.readline()).decode()
                assert line, log
                log += line
        headers = {"Token": SimulatorSettings().token, "X-Client-Source": SimulatorSettings().client_source}
        async with httpx.AsyncClient(base_url=found[1], headers=headers) as client:
            answer = (await client.post(ORDER_PATH, json=creation_body("DH-1"))).json()
        assert answer["success"] is False
        program.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await program.wait()
        assert program.returncode == -signal.SIGTERM
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    log += (await program.stderr.read()).decode()
    assert "Hồng" not in log


@pytest.mark.parametrize("flags", [("--drop-callback", "2"), ("--callback-url", "nowhere"), ("--speed", "fast")])
def test_a_wrong_flag_stops_the_program_with_its_name(
    flags: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        ENTRY.main(list(flags))
    assert stopped.value.code == 2
    assert flags[0].removeprefix("--") in capsys.readouterr().err.replace("_", "-")
