"""Uploaded tables: checked before they are opened, parsed in a child process with limits, streamed row by row.

`reading.open_sheet` is the way in for the first sheet that fits, `reading.open_sheets` for all that do. Nothing is
imported here, because the child process imports this package too.
"""
