"""`python -m services.orders [api|relay|consumer|activities|migrate]`; without a role, all of them."""

from services.orders.app import SERVICE
from shared.service import main

if __name__ == "__main__":
    main(SERVICE)
