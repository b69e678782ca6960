"""Which processes the local stack runs, and with which settings."""

import base64
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.local import layout as layout_module
from deploy.local.keys import Keys
from deploy.local.layout import PROGRAMS, SERVICES, EngineUrls, Layout, choose_ports, member_names

ENGINES = EngineUrls(
    databases={service: f"postgresql://postgres@127.0.0.1:5432/chot_{service}" for service in SERVICES},
    nats="nats://127.0.0.1:4222",
    temporal="127.0.0.1:7233",
)


def layout(directory: Path, *, roles_split: bool = False) -> Layout:
    names = member_names(PROGRAMS, split=SERVICES if roles_split else ())
    ports = {name: 9000 + number for number, name in enumerate(names)}
    further = {"leads": {"CHOT_DUPLICATE_WINDOW_DAYS": "3"}}
    return Layout(ports=ports, engines=ENGINES, keys=Keys(directory), log_dir=directory, settings=further)


def test_one_process_a_program_plays_all_roles_unless_they_are_split() -> None:
    assert member_names(("orders", "workflows", "ghtk"), split=()) == ["orders", "workflows", "ghtk"]
    assert member_names(("leads", "orders", "workflows"), split=("orders",)) == [
        "leads",
        "orders-api",
        "orders-relay",
        "orders-consumer",
        "orders-activities",
        "workflows",
    ]


def test_a_process_runs_the_role_in_its_name(tmp_path: Path) -> None:
    assert layout(tmp_path).program("orders").arguments == ["-m", "services.orders"]
    assert layout(tmp_path, roles_split=True).program("orders-relay").arguments == ["-m", "services.orders", "relay"]
    assert layout(tmp_path).program("workflows").arguments == ["-m", "workflows.worker"]


def test_a_service_knows_its_own_database_the_engines_and_the_token_keys(tmp_path: Path) -> None:
    env = layout(tmp_path).program("orders").env
    assert env["CHOT_DATABASE_URL"] == "postgresql://postgres@127.0.0.1:5432/chot_orders"
    assert env["CHOT_NATS_URL"] == "nats://127.0.0.1:4222"
    assert env["TEMPORAL_ADDRESS"] == "127.0.0.1:7233"
    assert (env["CHOT_HTTP_HOST"], env["CHOT_HTTP_PORT"]) == ("127.0.0.1", "9001")
    assert env["CHOT_JWKS_URL"] == f"{layout(tmp_path).url('staff')}/.well-known/jwks.json"


@pytest.mark.parametrize("name", SERVICES)
def test_roles_of_a_service_share_settings_and_listen_on_ports_of_their_own(tmp_path: Path, name: str) -> None:
    split = layout(tmp_path, roles_split=True)
    relay, api = split.program(f"{name}-relay"), split.program(f"{name}-api")
    assert relay.env.pop("CHOT_HTTP_PORT") != api.env.pop("CHOT_HTTP_PORT")
    assert relay.env == api.env
    assert split.url(name) == api.url


def test_the_workflow_worker_knows_neither_database_nor_nats(tmp_path: Path) -> None:
    env = layout(tmp_path).program("workflows").env
    assert not {"CHOT_DATABASE_URL", "CHOT_NATS_URL"} & env.keys()


def test_further_settings_reach_their_program_alone(tmp_path: Path) -> None:
    with_setting = [name for name in PROGRAMS if "CHOT_DUPLICATE_WINDOW_DAYS" in layout(tmp_path).program(name).env]
    assert with_setting == ["leads"]


def test_secrets_go_to_their_service_alone_and_are_what_it_expects(tmp_path: Path) -> None:
    env = {name: layout(tmp_path).program(name).env for name in SERVICES}
    assert isinstance(load_pem_private_key(env["staff"]["CHOT_TOKEN_SIGNING_KEY"].encode(), None), Ed25519PrivateKey)
    assert len(env["staff"]["CHOT_BOOTSTRAP_PASSWORD"]) >= 12
    for name in ("leads", "orders", "shipping"):
        assert len(base64.urlsafe_b64decode(env[name]["CHOT_CREDENTIALS_KEY"])) == 32
        assert env[name]["CHOT_PUBLIC_URL"] == layout(tmp_path).url(name)
    assert env["leads"]["CHOT_FACEBOOK_URL"] == f"{layout(tmp_path).url('facebook')}/v25.0"
    assert env["leads"]["CHOT_CREDENTIALS_KEY"] != env["shipping"]["CHOT_CREDENTIALS_KEY"]
    secrets = {"CHOT_TOKEN_SIGNING_KEY", "CHOT_BOOTSTRAP_PASSWORD", "CHOT_CREDENTIALS_KEY"}
    assert {name: len(secrets & settings.keys()) for name, settings in env.items()} == {
        "leads": 1,
        "orders": 1,
        "shipping": 1,
        "reporting": 0,
        "staff": 2,
    }


def test_keys_are_made_once_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    made = Keys(directory).token_signing_key()
    assert Keys(directory).token_signing_key() == made
    assert Keys(tmp_path / "other").token_signing_key() != made
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in directory.iterdir()] == [0o600]


def test_a_program_whose_default_port_is_taken_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        taken = listener.getsockname()[1]
        with socket.socket() as released:
            released.bind(("127.0.0.1", 0))
            free = released.getsockname()[1]
        monkeypatch.setattr(layout_module, "DEFAULT_PORTS", {"leads": taken, "orders": free})
        ports = choose_ports(["leads", "orders"], prefer_default=True)
    assert ports["orders"] == free
    assert ports["leads"] not in (taken, free)


def test_a_stack_that_leaves_the_default_ports_to_others_uses_none_of_them() -> None:
    ports = choose_ports(PROGRAMS, prefer_default=False)
    assert len(set(ports.values())) == len(PROGRAMS)
    assert not set(ports.values()) & set(layout_module.DEFAULT_PORTS.values())
