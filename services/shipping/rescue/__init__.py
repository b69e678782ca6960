"""Rescue ("cứu đơn"): failed deliveries, what the carrier is asked to do about them, and what comes of it."""
