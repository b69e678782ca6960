"""From 'Chốt đơn' to the parcel: closing, cancelling, posting, and what fulfilment waits for."""
