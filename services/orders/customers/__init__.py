"""Customers: one for each telephone number that ever reached us. What the rest of the service does with them."""

from services.orders.customers.facts import allow_calls as allow_calls
from services.orders.customers.facts import confirm as confirm
from services.orders.customers.facts import lift_refusal as lift_refusal
from services.orders.customers.facts import refuse_calls as refuse_calls
from services.orders.customers.facts import remember as remember
from services.orders.customers.facts import unconfirm as unconfirm
from services.orders.customers.merging import merge as merge
from services.orders.customers.numbers import Contact as Contact
from services.orders.customers.numbers import ensure as ensure
from services.orders.customers.numbers import lock_both as lock_both
from services.orders.customers.numbers import lock_numbers_of as lock_numbers_of
from services.orders.customers.numbers import renumber as renumber
