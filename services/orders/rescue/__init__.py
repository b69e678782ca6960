"""Rescue ("cứu đơn"): the call that a failed delivery asks of whoever holds the order."""
