"""Function permissions, by name. Groups are sets of them; routes ask for one."""

from __future__ import annotations

from typing import Final

LEADS_READ: Final = "leads.read"
LEADS_CREATE: Final = "leads.create"
LEADS_IMPORT: Final = "leads.import"
LEADS_DISTRIBUTE: Final = "leads.distribute"
"""Pools, rules, manual distribution and reassignment."""
LEADS_SOURCES: Final = "leads.sources"
"""Sources, landing pages and their keys."""
LEADS_EDIT: Final = "leads.edit"
"""Correct a lead's number and data, tags, notes, spam."""
LEADS_CORRECT: Final = "leads.correct"
"""Release a false duplicate, merge, correct and replay what was rejected, undo an import."""
LEADS_CLAIM: Final = "leads.claim"
"""See the floating pool and claim from it."""
LEADS_EXPORT: Final = "leads.export"
"""Leads as a workbook."""
LEADS_CONSENT: Final = "leads.consent"
"""Consent records and the do-not-call list."""
ORDERS_READ: Final = "orders.read"
ORDERS_CARE: Final = "orders.care"
"""Log calls, work tasks, close."""
ORDERS_CANCEL: Final = "orders.cancel"
ORDERS_REOPEN: Final = "orders.reopen"
"""Take a closed order back into care before it is posted."""
ORDERS_POST: Final = "orders.post"
"""The COD desk's 'Đăng đơn'."""
ORDERS_OPERATE: Final = "orders.operate"
"""Step into a care: skip, repeat, bring forward, pause, resume."""
ORDERS_ADMIN: Final = "orders.admin"
"""Levels, products and stock."""
ORDERS_PROCESS_EDIT: Final = "orders.process.edit"
"""Drafts of the care process, and the checker."""
ORDERS_PROCESS_PUBLISH: Final = "orders.process.publish"
"""Put a draft into force, retire a process, say which process an order gets, move running care."""
SHIPPING_READ: Final = "shipping.read"
SHIPPING_WRITE: Final = "shipping.write"
SHIPPING_WRITE_OFF: Final = "shipping.write_off"
"""Give up money that a carrier owes."""
SHIPPING_ADMIN: Final = "shipping.admin"
"""Carrier connections, and what was agreed with carriers about money."""
REPORTS_READ: Final = "reports.read"
STAFF_READ: Final = "staff.read"
STAFF_ADMIN: Final = "staff.admin"
PHONES_REVEAL: Final = "phones.reveal"
SEE_ALL: Final = "visibility.all"
"""Sees every record, not only their own and their subordinates'."""
OPERATE: Final = "system.operate"
"""Dead letters, republish, reconcile."""

ALL: Final = frozenset(
    value for name, value in list(vars().items()) if name.isupper() and isinstance(value, str) and name != "ALL"
)

SEED_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "admin": tuple(sorted(ALL)),
    "manager": (
        LEADS_READ,
        LEADS_CREATE,
        LEADS_IMPORT,
        LEADS_DISTRIBUTE,
        LEADS_SOURCES,
        LEADS_EDIT,
        LEADS_CORRECT,
        LEADS_CLAIM,
        LEADS_EXPORT,
        LEADS_CONSENT,
        ORDERS_READ,
        ORDERS_CARE,
        ORDERS_CANCEL,
        ORDERS_REOPEN,
        ORDERS_OPERATE,
        ORDERS_PROCESS_EDIT,
        SHIPPING_READ,
        SHIPPING_WRITE_OFF,
        REPORTS_READ,
        STAFF_READ,
        PHONES_REVEAL,
    ),
    "sale": (
        LEADS_READ,
        LEADS_CREATE,
        LEADS_EDIT,
        LEADS_CLAIM,
        ORDERS_READ,
        ORDERS_CARE,
        ORDERS_CANCEL,
        SHIPPING_READ,
        REPORTS_READ,
    ),
    "marketing": (LEADS_READ, LEADS_CREATE, LEADS_EDIT, LEADS_IMPORT, LEADS_SOURCES, LEADS_EXPORT, REPORTS_READ),
    "cod": (ORDERS_READ, ORDERS_POST, ORDERS_CANCEL, SHIPPING_READ, SHIPPING_WRITE, REPORTS_READ, SEE_ALL),
}
"""Groups of a fresh installation; a company edits them."""
