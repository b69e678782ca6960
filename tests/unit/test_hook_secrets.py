"""Whose address is called, by the secret in its path, as far as it needs no database."""

from __future__ import annotations

from collections.abc import Sequence

from shared.hook_secrets import HookSecrets
from shared.vault import secret_hash


class Addresses:
    """What a database would answer, and how often it was asked."""

    def __init__(self, **owners: str) -> None:
        self.owners = owners
        self.reads = 0
        self.secrets = HookSecrets(self._read)

    async def _read(self) -> Sequence[tuple[bytes, str]]:
        self.reads += 1
        return [(secret_hash(secret), owner) for secret, owner in self.owners.items()]


async def test_a_secret_is_found_without_reading_each_time() -> None:
    addresses = Addresses(one="ghtk", two="ghn")
    assert [await addresses.secrets.find(secret) for secret in ("one", "two", "one")] == ["ghtk", "ghn", "ghtk"]
    assert addresses.reads == 1


async def test_guessing_does_not_make_us_read_for_every_guess() -> None:
    addresses = Addresses(one="ghtk")
    assert [await addresses.secrets.find(f"guess {number}") for number in range(200)] == [None] * 200
    assert addresses.reads < 200 / 4


async def test_a_secret_that_was_replaced_here_does_not_pass_any_more() -> None:
    addresses = Addresses(old="ghtk")
    assert await addresses.secrets.find("old") == "ghtk"
    addresses.owners = {"new": "ghtk"}
    addresses.secrets.forget()
    assert (await addresses.secrets.find("old"), await addresses.secrets.find("new")) == (None, "ghtk")


async def test_a_change_while_the_secrets_are_being_read_is_not_missed() -> None:
    class ChangedMeanwhile(Addresses):
        async def _read(self) -> Sequence[tuple[bytes, str]]:
            answer = await super()._read()
            if self.reads == 1:
                self.owners = {"new": "ghtk"}
                self.secrets.forget()
            return answer

    addresses = ChangedMeanwhile(old="ghtk")
    assert await addresses.secrets.find("old") == "ghtk"
    assert (await addresses.secrets.find("old"), await addresses.secrets.find("new")) == (None, "ghtk")
