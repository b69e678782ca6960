"""Colours that a tag may have. Each can be told from the others, and white text on it can be read (contrast ≥ 4.5)."""

from __future__ import annotations

from typing import Final, Literal

Colour = Literal["red", "pink", "purple", "violet", "indigo", "blue", "cyan", "teal", "green", "olive", "brown", "grey"]

HEX: Final[dict[Colour, str]] = {
    "red": "#c92a2a",
    "pink": "#c2255c",
    "purple": "#9c36b5",
    "violet": "#6741d9",
    "indigo": "#3b5bdb",
    "blue": "#1864ab",
    "cyan": "#0b7285",
    "teal": "#087f5b",
    "green": "#2b8a3e",
    "olive": "#5c6f00",
    "brown": "#a0460b",
    "grey": "#495057",
}
