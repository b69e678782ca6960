"""The examples of docs/leads, word for word, one page after the other in a shell against the service on a port."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import uvicorn
from sqlalchemy import text

from services.leads.exports.work import ExportWorker
from services.leads.state import parts_of
from shared.contracts import permissions
from tests.harness import Running, token
from tests.integration.leads.company import Colleague, hire, pool, post
from tests.integration.leads.floating import floated
from tests.integration.leads.imports_support import work, workbook

PAGES: Final = Path(__file__).resolve().parents[3] / "docs" / "leads"
BEFORE: Final = """
curl() { command curl --max-time 30 -w '%{stderr}\\n%{http_code} %{url_effective}\\n' "$@"; }
uuidgen() { cat /proc/sys/kernel/random/uuid; }
"""
"""What each page's shell knows: a curl that also says what was answered; a uuidgen, which not every machine has."""

_FENCED: Final = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"(?:^ {4}\S.*\n(?: {4}.*\n)*)+", re.MULTILINE)

Step = Callable[[], Awaitable[object]]


def blocks(page: str) -> Iterator[str]:
    """The shell blocks of a page, in order."""
    text = (PAGES / page).read_text()
    found = [(match.start(), match[2]) for match in _FENCED.finditer(text)]
    rest = _FENCED.sub(lambda match: "\n" * len(match[0]), text)
    found += [(match.start(), match[0]) for match in _INDENTED.finditer(rest) if not match[0].startswith("    SELECT")]
    return (block for _, block in sorted(found))


def commands(page: str) -> Iterator[str]:
    """Each command with all of its lines."""
    for block in blocks(page):
        lines: list[str] = []
        for line in block.splitlines():
            lines.append(line)
            if line.endswith("\\") or not _is_whole("\n".join(lines)):
                continue
            command = "\n".join(lines)
            lines.clear()
            if command.strip() and not command.strip().startswith("#"):
                yield command
        assert not lines, f"{page}: a command without an end: {lines}"


def _is_whole(command: str) -> bool:
    """Whether every quote and bracket of a command is closed."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return command.count("(") == command.count(")")


@asynccontextmanager
async def serving(running: Running) -> AsyncIterator[str]:
    """The service on a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(running.app, port=0, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def walk(page: str, directory: Path, known: Mapping[str, str], before: Mapping[str, Step]) -> None:
    """Types the commands of a page one by one; each must be answered with what is no error.

    Args:
        known: variables that the page does not set itself.
        before: what happens meanwhile, before a command with this text.
    """
    shell = await asyncio.create_subprocess_exec(
        "bash", cwd=directory, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write((BEFORE + "".join(f"{name}={shlex.quote(value)}\n" for name, value in known.items())).encode())
    asked = 0
    left = dict(before)
    for command in commands(page):
        if "$STAFF" in command:
            continue  # another service, which its own tests know
        for words in [words for words in left if words in command]:
            await left.pop(words)()
        shell.stdin.write(f"{command}\nprintf '\\n=== %s\\n' $?\n".encode())
        printed = ""
        async with asyncio.timeout(60):
            while "\n=== " not in printed or not printed.endswith("\n"):
                printed += (await shell.stdout.read(65536)).decode(errors="replace")
        answers = re.findall(r"^(\d{3}) (http\S+)$", printed, flags=re.MULTILINE)
        if "curl " in command:
            assert answers, f"{page}: {command}\n{printed}"
        assert all(status < "400" for status, _ in answers), f"{page}: {command}\n{printed[-2000:]}"
        asked += len(answers)
    shell.stdin.close()
    await shell.wait()
    assert asked > 0, f"{page} has no examples"
    assert left == {}, f"{page} has no command with {sorted(left)}"


class Company:
    """Who and what the pages speak of."""

    def __init__(self, leads: Running, directory: Path) -> None:
        self.leads = leads
        self.directory = directory
        self.known: dict[str, str] = {}
        self.before: dict[str, Step] = {}

    async def prepare(self, page: str) -> None:
        self.admin = await self.leads.client(code="QL001")
        self.people = await hire(self.leads, "NV001", "NV002", "NV003")
        await getattr(self, page.removesuffix(".md").replace("-", "_"))()

    async def consent(self) -> None:
        await post(self.admin, "0912345678")
        (self.directory / "danh-sach.txt").write_text("0912345678\n0987654321\n")

    async def distribution(self) -> None:
        caring = await pool(self.admin, [self.people[2]], name="CSKH")
        lead = await post(self.admin, "0912345678")
        self.known |= {"CSKH": caring["id"], "LEAD": lead["id"]}
        self.known |= {"LAN": str(self.people[0].id), "HOA": str(self.people[1].id)}

    async def duplicates(self) -> None:
        lead, other = await post(self.admin, "0912345678"), await post(self.admin, "0987654321")
        await post(self.admin, "0900000001")
        duplicate = await post(self.admin, "0900000001")
        self.known |= {"LEAD": lead["id"], "OTHER": other["id"], "DUPLICATE": duplicate["id"]}

    async def everyday(self) -> None:
        source = {"name": "Tết", "channel": "api", "campaign": "tet-2027"}
        made = (await self.admin.post("/v1/sources", json=source)).json()
        key = (await self.admin.post(f"/v1/sources/{made['id']}/key")).json()["key"]
        sender = await self.leads.anonymous()
        sent = {"phone": "0912345678", "name": "Nguyễn Thị Lan"}
        lead = (await sender.post("/v1/leads", json=sent, headers={"X-Api-Key": key})).json()
        self.known["LEAD"] = lead["id"]
        hints = parts_of(self.leads.runtime).streams.hints
        worker = ExportWorker(self.leads.db, arrived=asyncio.Event(), zone="Asia/Ho_Chi_Minh", hints=hints)
        self.before["$EXPORT/file"] = worker.step

    async def floating_pool(self) -> None:
        (lead,) = await floated(self.leads, self.people[0], "0912345678", product="SERUM-30")
        seller = self.people[1]
        self.known |= {"LEAD": lead, "MANAGER": token(*permissions.ALL)}
        self.known["SALE"] = token("leads.read", "leads.claim", account_id=seller.id, code=seller.code)

    async def imports(self) -> None:
        for name, header, phone in (
            ("khach.xlsx", ("SĐT", "Tên"), "0912345678"),
            ("thu.xlsx", ("SĐT", "Tên"), "0912345679"),
            ("doi-tac.xlsx", ("Liên hệ KH", "Mã nội bộ"), "0912345680"),
        ):
            (self.directory / name).write_bytes(workbook([(phone, "Lan"), ("0912", "Hoa")], header))
        for words in ("rows?verdict=rejected", "$IMPORT/import", "$IMPORT/undo", "verdict=kept"):
            self.before[words] = self.work_off

    async def work_off(self) -> None:
        for row in await self.leads.rows("SELECT id FROM imports WHERE state = 'running'"):
            await work(self.leads, str(row.id))

    async def manual_distribution(self) -> None:
        leaver = Colleague(self.leads, "NV009")
        await leaver.change()
        held = await post(self.admin, "0900000001")
        await self.admin.post(f"/v1/leads/{held['id']}/assign", json={"owner_id": str(leaver.id)})
        lead = await post(self.admin, "0912345678")
        async with self.leads.db.transaction() as session:
            await session.execute(text("UPDATE leads SET channel = 'facebook_form'"))
        self.known |= {f"NV{place}": str(person.id) for place, person in enumerate(self.people, 1)}
        self.known |= {"LEAD": lead["id"], "LEAVER": str(leaver.id)}
        self.known["MANAGER"] = self.known["TOKEN"]

    async def raw_inbox(self) -> None:
        for name in ("ID", "OTHER"):
            answer = await self.admin.post("/v1/leads", json={"phone": "091234567", "name": name})
            self.known[name] = answer.json()["raw_item_id"]

    async def sources(self) -> None:
        await hire(self.leads, "MKT00", "MKT01", on_duty=False)


@pytest.mark.parametrize(
    "page",
    [
        "consent.md", "distribution.md", "duplicates.md", "everyday.md", "floating-pool.md", "imports.md",
        "manual-distribution.md", "raw-inbox.md", "sources.md",
    ],
)  # fmt: skip
async def test_the_examples_of_a_page_work_word_for_word(
    leads: Running, tmp_path: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.leads.api.transfers.WITHIN", 0.0)  # so that there is something to cancel
    company = Company(leads, tmp_path)
    admin = Colleague(leads, "QL001")
    company.known["TOKEN"] = token(*permissions.ALL, account_id=admin.id, code="QL001")
    await company.prepare(page)
    async with serving(leads) as address:
        company.known["LEADS"] = address
        await walk(page, tmp_path, company.known, company.before)
