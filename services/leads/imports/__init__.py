"""Imports of workbooks: kept whole first, then taken in by chunks, each with its progress in one transaction."""
