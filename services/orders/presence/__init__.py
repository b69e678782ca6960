"""When colleagues are there: their shifts, whether they are on duty, whether they work here, now and before."""
