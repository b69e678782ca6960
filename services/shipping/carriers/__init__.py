"""The carriers behind one interface."""
