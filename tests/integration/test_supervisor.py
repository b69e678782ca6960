"""Members of the local stack end when they are told to, come back when they crash, and never outlive their stack."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local import member as member_module
from deploy.local import supervisor as supervisor_module
from deploy.local.engines import Postgres
from deploy.local.ports import free_port
from deploy.local.process import Process, ProcessFailed, has_ended, wait_ended
from deploy.local.program import Program
from deploy.local.state import MemberState, StackState, StateDirectory
from deploy.local.supervisor import Supervisor

ROOT = Path(__file__).parents[2]

# Everything must have ended so long after a signal, seconds.
STOP_BOUND = 15.0


class Recorder:
    """A reporter that remembers, and can be waited on."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._news = asyncio.Event()

    def milestone(self, text: str) -> None:
        self.problem(text)

    def problem(self, text: str) -> None:
        self.texts.append(text)
        self._news.set()

    async def heard(self, part: str, *, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while sum(part in text for text in self.texts) < times:
                self._news.clear()
                await self._news.wait()


def web_server(directory: Path, name: str = "web") -> Program:
    """A real HTTP server in a process of its own."""
    port = free_port()
    arguments = ["-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(directory)]
    return Program(
        name=name, arguments=arguments, port=port, ready_path="/", log_path=directory / f"{name}.log", env={}
    )


def script(directory: Path, code: str, *, name: str = "script") -> Process:
    return Process(name=name, command=[sys.executable, "-c", code], log_path=directory / f"{name}.log")


@asynccontextmanager
async def supervised(program: Program, recorder: Recorder) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(reporter=recorder, changed=lambda: None)
    await program.start()
    supervisor.watch(program)
    try:
        yield supervisor
    finally:
        await supervisor.close()
        await program.stop()


async def printed(process: Process) -> str:
    """Wait for the first line that a script prints."""
    async with asyncio.timeout(20):
        while not (lines := process.last_lines(1)):
            await asyncio.sleep(0.01)
    return lines[0]


async def test_a_crashed_member_is_named_and_started_again_on_its_port(tmp_path: Path) -> None:
    recorder = Recorder()
    program = web_server(tmp_path)
    async with supervised(program, recorder) as supervisor:
        first = program.pid
        os.kill(first, signal.SIGKILL)
        await recorder.heard("web ended (killed by SIGKILL); starting it again in 0.5 s")
        await recorder.heard("web runs again")
        assert program.pid != first
        assert program.process.listens_on(program.port)
        assert supervisor.restarts("web") == 1


async def test_a_member_that_cannot_start_is_tried_again_ever_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0.05)
    recorder = Recorder()
    program = web_server(tmp_path)
    async with supervised(program, recorder):
        working = program.arguments
        program.arguments = ["-c", "raise SystemExit('the disk is full')"]
        await program.kill()
        await recorder.heard("the disk is full", times=3)
        program.arguments = working
        await recorder.heard("runs again")
    pauses = [text.rsplit(" in ", 1)[1] for text in recorder.texts if "again in" in text]
    assert pauses[:4] == ["0.05 s", "0.1 s", "0.2 s", "0.4 s"]


async def test_a_member_that_was_stopped_stays_away_until_it_is_started(tmp_path: Path) -> None:
    recorder = Recorder()
    program = web_server(tmp_path)
    async with supervised(program, recorder):
        await program.stop()
        await program.start()
        await program.kill()
        await recorder.heard("runs again")
    # Had the stop counted as a crash, there would be two of each.
    assert [text.split(" (")[0] for text in recorder.texts] == ["web ended", "web runs again"]


async def test_a_killed_member_that_somebody_starts_at_once_is_not_started_twice(tmp_path: Path) -> None:
    recorder = Recorder()
    program = web_server(tmp_path)
    async with supervised(program, recorder):
        await program.kill()
        await program.start()
        started = program.pid
        await recorder.heard("runs again")
        assert program.pid == started


async def test_a_process_that_ignores_the_request_to_end_is_killed_with_its_helpers(tmp_path: Path) -> None:
    process = script(
        tmp_path,
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(helper.pid, flush=True)\n"
        "time.sleep(600)",
    )
    await process.start()
    helper = psutil.Process(int(await printed(process)))
    async with asyncio.timeout(30):  # the helper would hold it for ten minutes
        ended_by_itself = await process.stop(grace=0.3)
    assert not ended_by_itself
    assert process.returncode == -signal.SIGKILL
    assert await wait_ended([helper], timeout=1) == []


async def test_helpers_that_a_crashed_process_leaves_behind_end_too(tmp_path: Path) -> None:
    process = script(
        tmp_path,
        "import os, subprocess, sys\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(helper.pid, flush=True)\n"
        "os.abort()",
    )
    await process.start()
    assert await process.wait() == -signal.SIGABRT
    helper = int(process.last_lines(1)[0])
    assert not psutil.pid_exists(helper) or await wait_ended([psutil.Process(helper)], timeout=1) == []


async def test_a_process_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    program = web_server(tmp_path)
    program.log_path.write_text("from an earlier run\n")
    program.arguments = ["-c", "print('line'); raise SystemExit('CHOT_DATABASE_URL is missing')"]
    with pytest.raises(
        ProcessFailed, match=r"(?s)web ended while starting \(exit status 1\).*CHOT_DATABASE_URL"
    ) as failure:
        await program.start()
    assert "from an earlier run" not in str(failure.value)


async def test_a_process_that_does_not_become_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "START_TIMEOUT", 0.5)
    program = web_server(tmp_path)
    program.arguments = ["-c", "import time; time.sleep(600)"]
    with pytest.raises(ProcessFailed, match=r"web was not ready within 0\.5 s"):
        await program.start()
    assert not program.running


async def test_another_server_on_the_port_does_not_count_as_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = web_server(tmp_path, "other")
    await other.start()
    monkeypatch.setattr(member_module, "START_TIMEOUT", 1.0)
    try:
        program = web_server(tmp_path)
        program.port = other.port
        program.arguments = ["-c", "import time; time.sleep(600)"]
        with pytest.raises(ProcessFailed, match="was not ready"):
            await program.start()
    finally:
        await other.stop()


async def test_a_process_is_not_given_the_settings_of_whoever_starts_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHOT_NATS_URL", "nats://production:4222")
    monkeypatch.setenv("TEMPORAL_API_KEY", "production")
    program = web_server(tmp_path)
    program.env["CHOT_HTTP_PORT"] = str(program.port)
    await program.start()
    try:
        settings = psutil.Process(program.pid).environ()
    finally:
        await program.stop()
    assert {name: value for name, value in settings.items() if name.startswith(("CHOT_", "TEMPORAL_"))} == program.env
    assert settings["PATH"] == os.environ["PATH"]


async def test_only_the_main_thread_starts_processes(tmp_path: Path) -> None:
    def start() -> None:
        asyncio.run(script(tmp_path, "").start())

    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(start)


# A whole stack in a process of its own, run as `chot up` runs it.
STACK = """
import asyncio
import sys
from pathlib import Path
from deploy.commands.up import TerminalReporter, run_until_signal
from deploy.local.stack import Stack

stack = Stack(Path(".chot"), ephemeral=sys.argv[1] == "ephemeral", programs=("ghtk",), reporter=TerminalReporter())
asyncio.run(run_until_signal(stack))
"""


@asynccontextmanager
async def stack_process(
    directory: Path, *, ready: str = "Ctrl-C", ephemeral: bool = True
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A stack in a process of its own, from when it says a word on; stopped in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STACK, "ephemeral" if ephemeral else "kept"),
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        said = []
        async with asyncio.timeout(60):
            while line := (await process.stdout.readline()).decode():
                said.append(line)
                if ready in line:
                    break
            else:
                pytest.fail("".join(said))
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), timeout=STOP_BOUND)
        # Also what is kept outside the directory (see engines/unprivileged.py).
        postgres = directory / ".chot" / "data" / "postgres"
        await Postgres(data_dir=postgres, log_path=directory / "log").remove()


def processes_of(stack: asyncio.subprocess.Process) -> list[psutil.Process]:
    return psutil.Process(stack.pid).children(recursive=True)


async def test_ctrl_c_ends_everything_in_time_although_a_service_and_an_engine_hang(tmp_path: Path) -> None:
    async with stack_process(tmp_path, ephemeral=False) as stack:
        family = processes_of(stack)
        for hanging in ("ghtk", "nats"):
            os.kill(StateDirectory(tmp_path / ".chot" / "run").running().members[hanging].pid, signal.SIGSTOP)
        begun = time.monotonic()
        stack.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(stack.communicate(), timeout=STOP_BOUND + 5)
        assert time.monotonic() - begun < STOP_BOUND
        assert stack.returncode == 0
        assert "Everything has stopped." in output.decode()
        assert len(family) > 4
        assert [process for process in family if not has_ended(process)] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_while_the_stack_starts_ends_what_has_started(number: signal.Signals, tmp_path: Path) -> None:
    async with stack_process(tmp_path, ready="is ready") as stack:
        family = processes_of(stack)
        stack.send_signal(number)
        await asyncio.wait_for(stack.communicate(), timeout=STOP_BOUND)
        assert stack.returncode == 0
        assert family
        assert [process for process in family if not has_ended(process)] == []


async def test_a_stack_whose_terminal_was_closed_stops_in_order(tmp_path: Path) -> None:
    async with stack_process(tmp_path) as stack:
        family = processes_of(stack)
        stack._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # asyncio has no public way
        stack.send_signal(signal.SIGHUP)
        await asyncio.wait_for(stack.wait(), timeout=STOP_BOUND)
        assert stack.returncode == 0
        assert [process for process in family if not has_ended(process)] == []
        assert not (tmp_path / ".chot" / "run" / "stack.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next stack ends what a killed one left behind")
async def test_no_process_outlives_a_stack_that_is_killed(tmp_path: Path) -> None:
    async with stack_process(tmp_path) as stack:
        family = processes_of(stack)
        stack.kill()
        await stack.wait()
        assert len(family) > 4
        assert await wait_ended(family, timeout=10) == []


async def test_a_second_stack_in_the_same_directory_is_refused_and_says_where_the_first_is(tmp_path: Path) -> None:
    async with stack_process(tmp_path) as stack:
        state = StateDirectory(tmp_path / ".chot" / "run").running()
        assert state is not None
        second = await chot(tmp_path, "up")
        assert second.returncode == 1
        assert f"A stack is running already in {tmp_path / '.chot'} (process {stack.pid})" in second.stdout
        assert state.members["ghtk"].address in second.stdout
        assert state.members["nats"].address in second.stdout
        assert not has_ended(psutil.Process(state.members["ghtk"].pid))


async def test_status_tells_a_hanging_process_from_a_ready_one(tmp_path: Path) -> None:
    async with stack_process(tmp_path):
        healthy = await chot(tmp_path, "status")
        assert healthy.returncode == 0, healthy.stdout
        state = StateDirectory(tmp_path / ".chot" / "run").running()
        assert state is not None
        os.kill(state.members["ghtk"].pid, signal.SIGSTOP)
        hanging = await chot(tmp_path, "status")
        os.kill(state.members["ghtk"].pid, signal.SIGCONT)
        assert hanging.returncode == 1
        states = {line.split()[0]: line.split()[1] for line in hanging.stdout.splitlines() if line.strip()}
        assert (states["ghtk"], states["nats"]) == ("hangs", "ready")


async def chot(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", *arguments),
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode is not None
    return subprocess.CompletedProcess(arguments, process.returncode, stdout=output.decode())


def state_of(pid: int, created: float) -> StackState:
    left = MemberState(pid=pid, created=created, address="", log="", restarts=0)
    return StackState(pid=1, started_at="2026-11-21T08:00:00+00:00", temporal_ui=None, members={"left": left})


async def test_what_a_killed_stack_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    process = script(tmp_path, "import time; time.sleep(600)")
    await process.start()
    state = StateDirectory(tmp_path / "run")
    with state.lock():
        state.write(state_of(process.pid, psutil.Process(process.pid).create_time()))
        assert await state.end_leftovers() == ["left"]
    assert await process.wait() == -signal.SIGKILL


async def test_a_process_that_merely_has_the_id_of_an_old_one_is_left_alone(tmp_path: Path) -> None:
    process = script(tmp_path, "import time; time.sleep(600)")
    await process.start()
    state = StateDirectory(tmp_path / "run")
    with state.lock():
        state.write(state_of(process.pid, psutil.Process(process.pid).create_time() - 3600))
        assert await state.end_leftovers() == []
    assert process.running
    await process.kill()


def test_only_its_owner_reads_the_state_of_a_stack(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "run")
    with state.lock():
        state.write(state_of(1, 0))
    assert (tmp_path / "run" / "stack.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_state_that_nobody_holds_the_lock_of_is_no_running_stack(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "run")
    with state.lock():
        state.write(state_of(1, 0))
        assert StateDirectory(tmp_path / "run").running() == state_of(1, 0)
    assert state.running() is None
