"""Where an import stands, in a sentence for the screens of Temporal and ours. Codes and counts only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.activities import OperatorView


def _vi(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def view(row: Mapping[str, Any]) -> OperatorView:
    """The sentence about an import.

    Args:
        row: its columns as `store.load` reads them.
    """
    done, count, state = row["rows_done"], row["row_count"], row["state"]
    verdicts_vi = f"{_vi(row['leads'])} số mới, {_vi(row['duplicates'])} trùng, {_vi(row['rejected'])} bị loại"
    verdicts_en = f"{row['leads']:,} new, {row['duplicates']:,} duplicates, {row['rejected']:,} rejected"
    if row["repeated"]:
        verdicts_vi += f", {_vi(row['repeated'])} đã nhập trước đó"
        verdicts_en += f", {row['repeated']:,} imported before"
    if state in ("undoing", "undone"):
        head_vi, head_en = ("Đang hoàn tác", "Undoing") if state == "undoing" else ("Đã hoàn tác", "Undone")
        vi = f"{head_vi}: đã rút {_vi(row['undone'])} số."
        en = f"{head_en}: {row['undone']:,} taken back."
    else:
        heads = {
            "running": ("Đang nhập", "Importing") if row["mode"] == "import" else ("Đang chạy thử", "Trying"),
            "checked": ("Đã chạy thử xong", "Tried"),
            "done": ("Đã nhập xong", "Imported"),
            "cancelled": ("Đã dừng", "Cancelled"),
            "failed": ("Bị lỗi, đã dừng", "Failed"),
        }
        head_vi, head_en = heads[state]
        vi = f"{head_vi}: {_vi(done)}/{_vi(count)} dòng ({verdicts_vi})."
        en = f"{head_en}: {done:,} of {count:,} rows ({verdicts_en})."
    return OperatorView(sentence_vi=vi, sentence_en=en)
