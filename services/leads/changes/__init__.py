"""What people decide about leads after they came in: a number corrected, a duplicate that was none, two that are one
person, spam.

Each change locks in the order of the service (`services.leads.rounds`): numbers, pools, leads. A lead is read first to
know its numbers, and again under its lock; if somebody changed it in between, the caller is told to load it again.
"""
