"""The floating pool ("kho số thả nổi"): numbers that their holders did not close, open to whoever calls them next."""
