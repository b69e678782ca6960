"""Traffic with each of the carriers, recorded, made anonymous and replayed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import httpx
import orjson
import pytest
from fastapi import FastAPI, Request, Response

from deploy.local.carriers.__main__ import main
from deploy.local.carriers.server import CarrierSimulator
from deploy.local.carriers.traffic import tape
from deploy.local.carriers.traffic.anonymise import Anonymiser, PersonalDataLeft
from deploy.local.carriers.traffic.recorder import create_recorder
from deploy.local.carriers.traffic.replay import replay, schedule
from deploy.local.carriers.traffic.tape import Exchange
from deploy.local.ghn import GhnSimulator
from deploy.local.ghtk import GhtkSimulator
from deploy.local.simulator.server import ServedApp
from deploy.local.viettelpost import ViettelPostSimulator
from services.shipping.carriers.access import Access, HeldToken
from services.shipping.carriers.answers import CallbackMessage, Created
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghtk import Ghtk
from services.shipping.carriers.parcel import Address, Parcel, ParcelLine, PickUp
from services.shipping.carriers.viettelpost import ViettelPost

PEOPLE = (
    "Nguyễn Thị Hồng Nhung",
    "hong nhung",
    "0987654321",
    "987654321",
    "0987.654.321",
    "Ngõ 47 Lý Quốc Sư",
    "ly quoc su",
    "Phạm Quang Kho",
    "0966112233",
    "966112233",
    "88 Trần Thái Tông",
    "chị gái nhận hộ",
)
PARCEL = Parcel(
    reference="DH-4F7K2M9Q-1",
    recipient="Nguyễn Thị Hồng Nhung",
    phone="+84987654321",
    to=Address(province="Thành phố Hà Nội", ward="Phường Hoàn Kiếm", detail="Ngõ 47 Lý Quốc Sư"),
    lines=(ParcelLine(name="Kem dưỡng", sku="KD-50", quantity=1, unit_price=350_000, weight_grams=300),),
    cod=350_000,
    value=350_000,
    note="chị gái nhận hộ, gọi 0987.654.321 trước",
    pick_up=PickUp(
        name="Phạm Quang Kho",
        phone="0966112233",
        province="Hà Nội",
        ward="Phường Cầu Giấy",
        detail="88 Trần Thái Tông",
    ),
)


@dataclass(frozen=True)
class Case:
    """One carrier: its simulator, its adapter, and what a shop enters to connect."""

    simulator: Callable[[], CarrierSimulator]
    adapter: type[Carrier]
    credentials: Callable[[Any], dict[str, str]]
    path: str = ""


CASES = {
    "ghtk": Case(GhtkSimulator, Ghtk, lambda each: {"token": each.token, "client_source": each.client_source}),
    "ghn": Case(
        GhnSimulator, Ghn, lambda each: {"token": each.token, "shop_id": each.shop_id}, path="/shiip/public-api"
    ),
    "viettelpost": Case(ViettelPostSimulator, ViettelPost, lambda each: each.account),
}


@asynccontextmanager
async def receiver(got: list[bytes]) -> Any:
    app = FastAPI()

    @app.post("/{path:path}")
    async def receive(request: Request, path: str) -> Response:
        got.append(await request.body())
        return Response(status_code=200)

    async with ServedApp(app) as served:
        yield served


async def recorded(case: Case, folder: Path) -> tuple[Path, Path, list[bytes]]:
    """A parcel's requests and callbacks, each through a recorder; and what the shop got."""
    api, callbacks = folder / "api.jsonl", folder / "callbacks.jsonl"
    got: list[bytes] = []
    async with (
        case.simulator() as carrier,
        receiver(got) as shop,
        ServedApp(create_recorder(api, to=carrier.base_url)) as between,
        ServedApp(create_recorder(callbacks, to=f"{shop.base_url}/hooks/carriers")) as back,
        httpx.AsyncClient(timeout=30) as client,
    ):
        carrier.send_callbacks_to(f"{back.base_url}/a-callback-secret-of-256-bits_0123456789")
        access = Access(f"{between.base_url}{case.path}", case.credentials(carrier), HeldToken())
        made = await case.adapter(access, client).create(PARCEL)
        assert isinstance(made, Created)
        await carrier.advance(steps=6)
        await carrier.drain()
    return api, callbacks, got


def plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


@pytest.mark.parametrize("name", CASES)
async def test_a_recording_passes_everything_on_and_nothing_of_its_people_survives(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    api, callbacks, got = await recorded(case, tmp_path)
    assert (api.stat().st_mode & 0o777) == 0o600
    raw = list(tape.read(callbacks))
    assert sorted(each.body for each in raw) == sorted(got)
    assert {each.status for each in raw} == {200}
    assert "Hồng" in api.read_text()

    assert main(["anonymise", str(api), str(callbacks)]) == 0
    made = [tmp_path / "api.anonymous.jsonl", tmp_path / "callbacks.anonymous.jsonl"]
    text = plain(unquote_plus("\n".join(path.read_text() for path in made)))
    digits = re.sub(r"[ .\-]", "", text)
    for personal in PEOPLE:
        assert plain(personal) not in text
        assert plain(personal) not in digits
    for secret in ("simulated-ghtk-token", "a-callback-secret"):
        assert secret not in text

    reports = [
        [
            replace(report, reason="")
            for each in tape.read(path)
            for report in case.adapter.read_callback(CallbackMessage(each.body, each.content_type))
        ]
        for path in (callbacks, made[1])
    ]
    assert reports[0] == reports[1] != []
    assert [(each.at, each.status) for each in tape.read(made[1])] == [(each.at, each.status) for each in raw]


def exchange(body: bytes, *, seconds: float = 0, content_type: str = "application/json") -> Exchange:
    at = datetime(2026, 11, 5, tzinfo=UTC) + timedelta(seconds=seconds)
    return Exchange(at, "POST", "/", "", content_type, body, 200, "", b"")


def anonymous(*bodies: dict[str, Any] | str) -> list[Any]:
    exchanges = [
        exchange(each.encode(), content_type="application/x-www-form-urlencoded")
        if isinstance(each, str)
        else exchange(orjson.dumps(each))
        for each in bodies
    ]
    [made] = Anonymiser().anonymised([exchanges])
    return [orjson.loads(each.body) if each.body[:1] == b"{" else each.body.decode() for each in made]


def test_a_person_is_the_same_stand_in_whatever_the_spelling_and_the_field() -> None:
    made = anonymous(
        {"to_phone": "0987654321", "to_name": "Nguyễn Thị Hồng"},
        {"RECEIVER_PHONE": "+84 987 654 321", "RECEIVER_FULLNAME": "NGUYEN THI HONG"},
        {"customer_tel": 84987654321},
        "tel=0987.654.321&name=Nguy%E1%BB%85n+Th%E1%BB%8B+H%E1%BB%93ng",
        {"to_phone": "0912000111", "to_name": "Trần Văn Nam"},
    )
    assert made[0] == {"to_phone": "0900000001", "to_name": "Khách 0001"}
    assert made[1] == {"RECEIVER_PHONE": "0900000001", "RECEIVER_FULLNAME": "Khách 0001"}
    assert made[2] == {"customer_tel": 900000001}
    assert made[3] == "tel=0900000001&name=Kh%C3%A1ch+0001"
    assert made[4] == {"to_phone": "0900000002", "to_name": "Khách 0002"}


def test_codes_states_times_money_and_the_carriers_words_stay() -> None:
    kept = {
        "OrderCode": "L88K7R",
        "Status": "delivery_fail",
        "Time": "2026-11-05T02:30:00.000Z",
        "CODAmount": 350_000,
        "Reason": "Giao không thành công: Người nhận không nghe máy",
        "district": "Quận 1",
    }
    assert anonymous(kept) == [kept]


def test_a_field_that_nobody_thought_of_is_replaced_and_a_body_that_nobody_can_read_is_left_out() -> None:
    [made] = anonymous({"shipper_says": "nhà cô Nhung có chó"})
    assert made == {"shipper_says": "văn bản 1"}
    [page] = Anonymiser().anonymised([[exchange(b"<p>Nhung</p>", content_type="text/html")]])
    assert page[0].body == b""


def test_a_phone_number_used_as_an_order_code_is_replaced_everywhere_alike() -> None:
    first, second = anonymous({"partner_id": "0987654321"}, {"id": "0987654321", "tel": "0987654321"})
    assert first["partner_id"] == second["id"] == second["tel"] == "0900000001"


def test_what_would_survive_in_a_field_that_stays_is_an_error_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [{"to_name": "Nguyễn Thị Hồng"}, {"status_text": "đã giao cho Nguyen Thi Hong"}]
    exchanges = [exchange(orjson.dumps(body)) for body in bodies]
    with pytest.raises(PersonalDataLeft):
        Anonymiser().anonymised([exchanges])
    tape.write(tmp_path / "x.jsonl", exchanges)
    assert main(["anonymise", str(tmp_path / "x.jsonl")]) == 1
    assert "Hong" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_line_that_is_no_exchange_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(exchange(b"{}").line() + '\n{"at": "2026-11-05"}\n')
    for command in (["anonymise", str(path)], ["replay", str(path), "--to", "http://127.0.0.1:1/"]):
        assert main(command) == 1
        assert "x.jsonl:2" in capsys.readouterr().err


def test_bodies_that_are_no_text_survive_a_recording(tmp_path: Path) -> None:
    pdf = replace(exchange(b"%PDF \xff\x00"), answer=b"\xfe")
    tape.write(tmp_path / "x.jsonl", [pdf])
    assert list(tape.read(tmp_path / "x.jsonl")) == [pdf]


def test_a_replay_keeps_order_and_distances_times_its_speed() -> None:
    exchanges = [exchange(b"3", seconds=40), exchange(b"1"), exchange(b"2", seconds=10)]
    assert [(due, each.body) for due, each in schedule(exchanges, speed=10)] == [(0.0, b"1"), (1.0, b"2"), (4.0, b"3")]
    asked = replace(exchanges[0], method="GET")
    assert list(schedule([asked], speed=1)) == []


async def test_callbacks_are_replayed_to_an_address_and_counted() -> None:
    got: list[bytes] = []
    exchanges = [exchange(str(number).encode(), seconds=number) for number in range(20)]
    async with receiver(got) as shop:
        replayed = await replay(exchanges, to=f"{shop.base_url}/hook", speed=1_000)
    assert sorted(map(int, got)) == list(range(20))
    assert (replayed.sent, replayed.accepted) == (20, 20)
    replayed = await replay(exchanges[:2], to=f"{shop.base_url}/hook", speed=1_000)
    assert (replayed.sent, replayed.accepted, replayed.answers[None]) == (2, 0, 2)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_wrong_speed_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", "x.jsonl", "--to", "http://127.0.0.1:1", "--speed", speed])
    assert stopped.value.code == 2
    assert "--speed" in capsys.readouterr().err
