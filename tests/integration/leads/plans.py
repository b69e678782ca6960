"""What a plan of PostgreSQL (EXPLAIN ANALYZE, as JSON) did."""

from __future__ import annotations

from typing import Any


def scanned(plan: dict[str, Any], relation: str) -> int:
    """Rows of a table that a plan looked at, also those that it left out."""
    own_rows = 0
    if plan.get("Relation Name") == relation:
        left_out = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
        own_rows = (plan["Actual Rows"] + left_out) * plan["Actual Loops"]
    return round(own_rows) + sum(scanned(part, relation) for part in plan.get("Plans", ()))
