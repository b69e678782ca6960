"""Leads taken out as a workbook: asked for, written by a child process, kept for a day, remembered for ever."""
