"""A small company: people, products, stock, a landing page, a pool and a shop at the carrier."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from deploy.local.demo.api import Person, UrlOf

PASSWORD: Final = "demo-ban-hang-2026"
TEMPORARY: Final = "tam-thoi-7391-demo"

SALES: Final = (
    ("lan.nguyen", "Nguyễn Thị Lan", 3),
    ("minh.tran", "Trần Văn Minh", 3),
    ("hoa.pham", "Phạm Thu Hoa", 2),
    ("tuan.le", "Lê Anh Tuấn", 2),
)
"""Login, name, weight in the pool."""

PRODUCTS: Final = (
    ("LOC-KHI", "Máy lọc không khí mini", 690_000, 1800),
    ("NOI-CHIEN", "Nồi chiên không dầu 5 lít", 1_290_000, 5200),
    ("MASSAGE", "Máy massage cổ vai gáy", 450_000, 900),
    ("DAO-6", "Bộ dao nhà bếp 6 món", 320_000, 1400),
    ("KCN-SPF50", "Kem chống nắng SPF50", 260_000, 150),
    ("GOI-CST", "Gối cao su non", 390_000, 1100),
)
"""SKU, name, price in đồng, weight in grams."""


@dataclass
class Company:
    """Who and what there is."""

    admin: Person
    manager: Person
    marketer: Person
    cod_desk: Person
    sales: list[Person] = field(default_factory=list)
    connection: dict[str, Any] = field(default_factory=dict)


async def found(http: httpx.AsyncClient, url_of: UrlOf, *, admin_password: str) -> Company:
    """Sets the company up through the services' APIs, as an administrator would."""
    admin = await Person(http, url_of, login="admin", password=admin_password).sign_in()

    async def hire(
        login: str, name: str, department: str, group: str, superior: Person | None, team: str = ""
    ) -> Person:
        await admin.ask(
            "staff",
            "POST",
            "/v1/accounts",
            login=login,
            name=name,
            department=department,
            group=group,
            team=team,
            superior_id=superior.id if superior else None,
            temporary_password=TEMPORARY,
        )
        return await Person(http, url_of, login=login, password=TEMPORARY).sign_in(new_password=PASSWORD)

    manager = await hire("ha.vu", "Vũ Thị Hà", "sale", "manager", admin, "Sale 1")
    marketer = await hire("mai.do", "Đỗ Thanh Mai", "marketing", "marketing", admin)
    cod_desk = await hire("kho.bui", "Bùi Văn Khoa", "cod", "cod", admin)
    company = Company(admin, manager, marketer, cod_desk)
    company.sales = list(
        await asyncio.gather(*(hire(login, name, "sale", "sale", manager, "Sale 1") for login, name, _ in SALES))
    )
    for sku, name, price, weight in PRODUCTS:
        await admin.ask("orders", "POST", "/v1/products", sku=sku, name=name, price=price, weight_grams=weight)
    await admin.ask(
        "orders", "POST", "/v1/stock/receipts", lines=[{"sku": sku, "quantity": 500} for sku, *_ in PRODUCTS]
    )
    return company


async def connect_carrier(company: Company, http: httpx.AsyncClient, *, carrier_url: str) -> None:
    """Makes the shop's connection to the simulated GHTK, and tells GHTK where its callbacks go."""
    company.connection = await company.admin.ask(
        "shipping",
        "POST",
        "/v1/connections",
        carrier="ghtk",
        shop_name="Kho Hà Nội",
        base_url=carrier_url,
        credentials={"token": "simulated-ghtk-token", "client_source": "S100001"},
        pick_up={
            "name": "Kho Cầu Giấy",
            "phone": "0900000001",
            "province": "Thành phố Hà Nội",
            "ward": "Phường Cầu Giấy",
            "detail": "12 Trần Thái Tông",
        },
        # Polls take their turns as creations do, and the demo polls thousands of times as often as a shop.
        requests_per_second=100,
    )
    settings = {"callback_url": company.connection["callback_url"]}
    (await http.patch(f"{carrier_url}/_simulator/settings", json=settings)).raise_for_status()


async def open_for_business(company: Company) -> None:
    """Makes the pool and puts everybody on duty; numbers that came before are now given out in the order they came."""
    weights = {login: weight for login, _, weight in SALES}
    await company.admin.ask(
        "leads",
        "POST",
        "/v1/pools",
        name="Sale 1",
        members=[{"account_id": person.id, "weight": weights[person.login]} for person in company.sales],
    )
    for person in company.sales:
        await person.ask("staff", "PUT", "/v1/me/duty", on_duty=True)
