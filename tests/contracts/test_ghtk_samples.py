"""The sample messages of GHTK are what the simulator says, and say what their names promise."""

import json
from urllib.parse import parse_qsl

import pytest

from tests.contracts.ghtk_samples import SAMPLES, record

HAND_WRITTEN = ("variant_", "unreadable_", "README")


async def test_the_recorded_samples_are_what_the_simulator_says() -> None:
    """If the change is wanted: `python -m tests.contracts.ghtk_samples`."""
    recorded = await record()
    stored = {
        path.name: path.read_text(encoding="utf-8")
        for path in SAMPLES.iterdir()
        if not path.name.startswith(HAND_WRITTEN)
    }
    assert stored == recorded


@pytest.mark.parametrize("name", ["variant_create_response_numbers_as_text", "variant_status_integer"])
def test_a_variant_is_readable_json(name: str) -> None:
    assert json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))["success"] is True


def test_the_bare_plus_becomes_a_space_when_a_form_is_decoded() -> None:
    form = dict(parse_qsl((SAMPLES / "variant_callback_plus_not_encoded.form").read_text(encoding="utf-8")))
    assert form["action_time"] == "2026-11-07T12:14:40 07:00"
