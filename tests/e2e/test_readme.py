"""README's tour, word for word, on a stack like that of `make up`."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from deploy.local.stack import Stack

ROOT = Path(__file__).resolve().parents[2]


def commands() -> str:
    """The tour's shell blocks, one after the other."""
    tour = (ROOT / "README.md").read_text().split("## A tour", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", tour, flags=re.DOTALL))


async def test_the_tour_of_the_readme_works_word_for_word(tmp_path: Path) -> None:
    os.symlink(ROOT / ".venv", tmp_path / ".venv")
    async with Stack(tmp_path / ".chot", ephemeral=True):
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            commands(),
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(120):
            printed = (await shell.communicate())[0].decode()
    assert shell.returncode == 0, printed
    assert '"level": "C3.1"' in printed
    assert "must do “First call”" in printed
    assert "must do “Second try”" in printed
    assert '"waybill": "S100001.' in printed
