"""The migrations of a service are one chain: two of one number, or a gap, would stop every fresh installation."""

import ast
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"


@pytest.mark.parametrize("versions", sorted(SERVICES.glob("*/migrations/versions")), ids=lambda path: path.parts[-3])
def test_the_migrations_of_a_service_are_one_chain_named_by_their_numbers(versions: Path) -> None:
    before: str | None = None
    for number, path in enumerate(sorted(versions.glob("[0-9]*.py")), start=1):
        expected = {"revision": f"{number:04}", "down_revision": before}
        assert (path.name[:4], _revisions(path)) == (f"{number:04}", expected), path.name
        before = f"{number:04}"


def _revisions(path: Path) -> dict[str, str | None]:
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision")
    }
