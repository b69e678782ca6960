"""Accounts, groups, the tree of superiors, sign-in and the on-duty switch."""
