"""The dashboard: one HTML page that reads the same reports as everybody else, with the reader's own token."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from services.reporting.api import RuntimeDep

page_router = APIRouter(include_in_schema=False)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(), trim_blocks=True
    )


@page_router.get("/", response_class=HTMLResponse)
async def dashboard(request: Request, runtime: RuntimeDep) -> HTMLResponse:
    """Tổng quan: the page itself holds no data; it asks for a sign-in and then for the reports."""
    html = _templates().get_template("dashboard.html").render(staff_url=runtime.settings.staff_url.rstrip("/"))
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
        f"connect-src 'self' {runtime.settings.staff_url}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})
