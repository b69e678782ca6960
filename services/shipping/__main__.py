"""`python -m services.shipping [api|relay|consumer|activities|migrate]`; without a role, all of them."""

from shared.start import start

if __name__ == "__main__":
    start("shipping")
