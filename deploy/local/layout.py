"""The programs of the product on one machine: their names, ports and settings."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.keys import Keys
from deploy.local.ports import LOOPBACK, default_or_free_port, free_port
from deploy.local.program import Program

SERVICES = ("leads", "orders", "shipping", "reporting", "staff")
WORKFLOWS = "workflows"
CARRIER = "ghtk"
FACEBOOK = "facebook"
SIMULATORS = (CARRIER, FACEBOOK)
PROGRAMS = (*SERVICES, WORKFLOWS, *SIMULATORS)

DEFAULT_PORTS = {
    "leads": 8101,
    "orders": 8102,
    "shipping": 8103,
    "reporting": 8104,
    "staff": 8105,
    WORKFLOWS: 8106,
    CARRIER: 8111,
    FACEBOOK: 8112,
}

# The roles that a service can be split into (`python -m services.orders relay`); without one, a process plays them all.
ROLES = ("api", "relay", "consumer", "activities")


@dataclass(frozen=True, kw_only=True)
class EngineUrls:
    """Where programs find the engines."""

    databases: Mapping[str, str]
    """Address of the database of each service."""
    nats: str
    temporal: str


def database_name(service: str) -> str:
    return f"chot_{service}"


def choose_ports(names: Collection[str], *, prefer_default: bool) -> dict[str, int]:
    """Choose a port for each program: its default if it is free and wanted, else another free one."""
    ports: dict[str, int] = {}
    for name in names:
        port = default_or_free_port(DEFAULT_PORTS[name]) if prefer_default and name in DEFAULT_PORTS else free_port()
        while port in ports.values():
            port = free_port()
        ports[name] = port
    return ports


def member_names(programs: Collection[str], *, split: Collection[str]) -> list[str]:
    """Return the names of the processes that run these programs: `orders`, or `orders-api`, `orders-relay`, …

    Parameters:
        split: the services that have a process for each role.
    """
    return [
        name
        for program in programs
        for name in ([f"{program}-{role}" for role in ROLES] if program in split else [program])
    ]


class Layout:
    """Makes the programs of a stack, given its ports, engines and keys."""

    def __init__(
        self,
        *,
        ports: Mapping[str, int],
        engines: EngineUrls,
        keys: Keys,
        log_dir: Path,
        settings: Mapping[str, Mapping[str, str]],
    ) -> None:
        """
        Parameters:
            ports: of each process, by its name (see `member_names`).
            engines: where the engines are.
            keys: passwords and keys.
            log_dir: directory of the log files.
            settings: further settings of a program, by its name.
        """
        self._ports = ports
        self._engines = engines
        self._keys = keys
        self._log_dir = log_dir
        self._further_settings = settings

    def url(self, program: str) -> str | None:
        """Return the base address of a program's HTTP interface; None if it does not run."""
        port = self._ports.get(program, self._ports.get(f"{program}-api"))
        return None if port is None else f"http://{LOOPBACK}:{port}"

    def program(self, member: str) -> Program:
        """Return the process of this name."""
        name, _, role = member.partition("-")
        port = self._ports[member]
        if name in SIMULATORS:
            arguments, ready_path = ["-m", f"deploy.local.{name}", "--port", str(port)], "/_simulator/stats"
        elif name == WORKFLOWS:
            arguments, ready_path = ["-m", "workflows.worker"], "/readyz"
        else:
            arguments = ["-m", f"services.{name}", *([role] if role else [])]
            # A role in the background has started when it lives; that it waits for an engine is no reason to kill it.
            ready_path = "/readyz" if role in ("", "api") else "/livez"
        return Program(
            name=member,
            arguments=arguments,
            port=port,
            ready_path=ready_path,
            log_path=self._log_dir / f"{member}.log",
            env=self._settings(name, port=port) | dict(self._further_settings.get(name, {})),
        )

    def migrations_env(self, services: Collection[str]) -> dict[str, str]:
        """Return the settings of `deploy.local.migrate`."""
        return {f"CHOT_DATABASE_URL_{service.upper()}": self._engines.databases[service] for service in services}

    def _settings(self, name: str, *, port: int) -> dict[str, str]:
        if name in SIMULATORS:
            return {}
        settings = {
            "CHOT_HTTP_HOST": LOOPBACK,
            "CHOT_HTTP_PORT": str(port),
            "CHOT_LOG_FORMAT": "json",
            "TEMPORAL_ADDRESS": self._engines.temporal,
            "TEMPORAL_NAMESPACE": "default",
            # A profile in the home directory of whoever starts the stack must not lead its programs elsewhere.
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        if name == WORKFLOWS:
            return settings
        settings |= {
            "CHOT_DATABASE_URL": self._engines.databases[name],
            "CHOT_NATS_URL": self._engines.nats,
        }
        if (staff := self.url("staff")) is not None:
            settings["CHOT_JWKS_URL"] = f"{staff}/.well-known/jwks.json"
            if name == "reporting":
                settings["CHOT_STAFF_URL"] = staff
        if name == "leads":
            settings["CHOT_CREDENTIALS_KEY"] = self._keys.leads_credentials_key()
            if (leads := self.url("leads")) is not None:
                settings["CHOT_PUBLIC_URL"] = leads
            if (facebook := self.url(FACEBOOK)) is not None:
                settings["CHOT_FACEBOOK_URL"] = f"{facebook}/v25.0"
        if name == "orders":
            settings["CHOT_CREDENTIALS_KEY"] = self._keys.orders_credentials_key()
            if (orders := self.url("orders")) is not None:
                settings["CHOT_PUBLIC_URL"] = orders
        if name == "shipping":
            settings["CHOT_CREDENTIALS_KEY"] = self._keys.credentials_key()
            if (shipping := self.url("shipping")) is not None:
                settings["CHOT_PUBLIC_URL"] = shipping
        if name == "staff":
            settings["CHOT_TOKEN_SIGNING_KEY"] = self._keys.token_signing_key()
            settings["CHOT_BOOTSTRAP_PASSWORD"] = self._keys.bootstrap_password()
            if (reporting := self.url("reporting")) is not None:
                # The dashboard's sign-in form asks the staff service from the reader's browser.
                settings["CHOT_CORS_ORIGINS"] = f"{reporting},{reporting.replace(LOOPBACK, 'localhost')}"
        return settings
