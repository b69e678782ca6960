"""Uploaded workbooks: checked before they are opened, read in a child process, answered by a workbook of verdicts.

`reading.open_sheet` is the way in, `writing.VerdictWorkbook` and `template.template` are the ways out. Nothing is
imported here, because the child process imports this package too.
"""
