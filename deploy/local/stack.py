"""The whole product on one machine: engines, services, workflow worker, carrier simulator."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import psutil

from deploy.local.engines import Engine, Nats, Postgres, Temporal
from deploy.local.keys import Keys
from deploy.local.layout import (
    PROGRAMS,
    SERVICES,
    EngineUrls,
    Layout,
    choose_ports,
    database_name,
    member_names,
)
from deploy.local.member import Member
from deploy.local.process import Process, ProcessFailed, describe_exit
from deploy.local.program import ROOT, Program, environment
from deploy.local.state import MemberState, StackState, StateDirectory
from deploy.local.supervisor import Reporter, Supervisor

# Seconds for bringing all databases to their newest schema.
MIGRATION_TIMEOUT = 120.0

# A log that has grown beyond this is put aside when the stack starts; one older log is kept. Bytes.
LOG_LIMIT = 20_000_000


class SilentReporter:
    """Tells nobody."""

    def milestone(self, text: str) -> None:
        """Nothing."""

    def problem(self, text: str) -> None:
        """Nothing."""


class Stack:
    """A stack in a directory, as an asynchronous context manager: it runs inside the block.

    `stack.postgres`, `stack.nats`, `stack.temporal` and `stack.child("orders")` are its members. A member that is
    killed is started again by the stack; one that is stopped stays away until `start`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        ephemeral: bool = False,
        roles_split: bool | Collection[str] = False,
        programs: Collection[str] = PROGRAMS,
        settings: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        reporter: Reporter | None = None,
    ) -> None:
        """
        Parameters:
            data_dir: everything the stack keeps: `data`, `logs`, `secrets`, `run`.
            ephemeral: for tests and the demo: no default ports, no waiting for the disk, and the engines' data are
                deleted in the end.
            roles_split: run each role as a process of its own (`orders-api`, `orders-relay`, …): of all services, or of
                those named.
            programs: what to run besides the engines.
            settings: further settings of a program, by its name: {"leads": {"CHOT_DUPLICATE_WINDOW_DAYS": "3"}}.
            reporter: is told of milestones and problems.

        Raises:
            ValueError: there is no such program.
        """
        if unknown := [name for name in programs if name not in PROGRAMS]:
            raise ValueError(f"no program is called {unknown[0]}: there are {', '.join(PROGRAMS)}")
        self.directory = data_dir.absolute()
        self.ephemeral = ephemeral
        self.keys = Keys(self.directory / "secrets")
        self.log_dir = self.directory / "logs"
        self._settings = settings
        self._services = [service for service in SERVICES if service in programs]
        split = roles_split if not isinstance(roles_split, bool) else self._services if roles_split else ()
        self._names = member_names(programs, split=split)
        self._reporter: Reporter = reporter or SilentReporter()
        self._state = StateDirectory(self.directory / "run")
        self._supervisor = Supervisor(reporter=self._reporter, changed=self._write_state)
        self._held = ExitStack()
        self._started_at = datetime.now(UTC)
        self._layout: Layout | None = None
        self._programs: dict[str, Program] = {}

        data = self.directory / "data"
        self.postgres = Postgres(
            data_dir=data / "postgres",
            log_path=self.log_dir / "postgres.log",
            prefer_default_ports=not ephemeral,
            password=None if ephemeral else self.keys.postgres_password(),
            fsync=not ephemeral,
        )
        self.nats = Nats(data_dir=data / "nats", log_path=self.log_dir / "nats.log", prefer_default_ports=not ephemeral)
        self.temporal = Temporal(
            data_dir=data / "temporal", log_path=self.log_dir / "temporal.log", prefer_default_ports=not ephemeral
        )

    @property
    def engines(self) -> tuple[Engine, ...]:
        return (self.postgres, self.nats, self.temporal)

    @property
    def members(self) -> dict[str, Member]:
        """Every engine and process, by name."""
        return {member.name: member for member in (*self.engines, *self._programs.values())}

    def child(self, name: str) -> Member:
        """Return a member: an engine (`postgres`, `nats`, `temporal`) or a process (`orders`, `orders-relay`, …).

        Raises:
            KeyError: there is none of this name; the message lists those that there are.
        """
        try:
            return self.members[name]
        except KeyError:
            raise KeyError(f"no member is called {name}: there are {', '.join(self.members)}") from None

    def url(self, program: str) -> str:
        """Return the base address of a program's HTTP interface; with split roles, of its role `api`.

        Raises:
            KeyError: it does not run.
        """
        url = None if self._layout is None else self._layout.url(program)
        if url is None:
            raise KeyError(f"{program} does not run")
        return url

    def database_url(self, service: str) -> str:
        """Return the address of a service's database."""
        return self.postgres.database_url(database_name(service))

    def env(self, name: str) -> dict[str, str]:
        """Return the settings that a process of this name was given."""
        return dict(self._programs[name].env)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and return when it is ready.

        Raises:
            StackRunning: another stack runs in this directory.
            EngineMissing: the engines are not installed.
            ProcessFailed: something did not start; everything that did has been stopped again.
        """
        self._held.enter_context(self._state.lock())
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, programs first. Bounded: what does not end in time is killed."""
        await self._supervisor.close()
        await self._end_all(program.stop() for program in self._programs.values())
        await self._end_all(engine.remove() if self.ephemeral else engine.stop() for engine in self.engines)
        self._state.clear()
        self._held.close()

    async def _start(self) -> None:
        for name in await self._state.end_leftovers():
            self._reporter.problem(f"ended {name}, left behind by a stack that was killed")
        self.log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._put_large_logs_aside()
        await _all(self._bring_up(engine) for engine in self.engines)
        for service in self._services:
            await self.postgres.ensure_database(database_name(service))
        self._layout = Layout(
            ports=choose_ports(self._names, prefer_default=not self.ephemeral),
            engines=EngineUrls(
                databases={service: self.database_url(service) for service in self._services},
                nats=self.nats.url,
                temporal=self.temporal.url,
            ),
            keys=self.keys,
            log_dir=self.log_dir,
            settings=self._settings,
        )
        self._programs = {name: self._layout.program(name) for name in self._names}
        if self._services:
            await self._migrate(self._layout)
        await _all(self._bring_up(program) for program in self._programs.values())
        self._write_state()

    async def _bring_up(self, member: Member) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        await member.start()
        self._reporter.milestone(f"{member.name} is ready ({clock() - begun:.1f} s)")
        self._supervisor.watch(member)

    async def _migrate(self, layout: Layout) -> None:
        migration = Process(
            name="migrate",
            command=[sys.executable, "-m", "deploy.local.migrate", *self._services],
            env=environment(layout.migrations_env(self._services)),
            cwd=ROOT,
            log_path=self.log_dir / "migrate.log",
        )
        await migration.start()
        try:
            async with asyncio.timeout(MIGRATION_TIMEOUT):
                status = await migration.wait()
        except TimeoutError:
            raise ProcessFailed(migration.failure(f"did not end within {MIGRATION_TIMEOUT:g} s")) from None
        finally:
            await migration.kill()
        if status != 0:
            raise ProcessFailed(migration.failure(f"failed ({describe_exit(status)})"))
        self._reporter.milestone("databases have the newest schema")

    async def _end_all(self, endings: Iterable[Awaitable[None]]) -> None:
        for result in await asyncio.gather(*endings, return_exceptions=True):
            if isinstance(result, BaseException):
                self._reporter.problem(str(result))

    def _put_large_logs_aside(self) -> None:
        for log in self.log_dir.glob("*.log"):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))

    def state(self) -> StackState:
        """Describe what runs now."""
        members = {name: _state(member, self._supervisor.restarts(name)) for name, member in self.members.items()}
        return StackState(
            pid=os.getpid(),
            started_at=self._started_at.isoformat(timespec="seconds"),
            temporal_ui=self.temporal.ui_url if self.temporal.up else None,
            members={name: member for name, member in members.items() if member is not None},
        )

    def _write_state(self) -> None:
        try:
            self._state.write(self.state())
        except OSError as error:
            # A full disk must not end the supervision.
            self._reporter.problem(f"cannot write which processes run: {error}")


def _state(member: Member, restarts: int) -> MemberState | None:
    """Describe a member; None if it does not run at this moment."""
    try:
        created = psutil.Process(member.pid).create_time() if member.running else None
    except psutil.NoSuchProcess:
        created = None
    if created is None:
        return None
    return MemberState(
        pid=member.pid,
        created=created,
        address=member.address,
        log=str(member.log_path),
        restarts=restarts,
        ready_url=member.ready_url if isinstance(member, Program) else None,
        env=member.env if isinstance(member, Program) else {},
    )


async def _all(steps: Iterable[Coroutine[None, None, None]]) -> None:
    """Take steps at the same time; when one fails the others are given up and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
