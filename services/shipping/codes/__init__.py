"""Codes of carriers that stand in no table: kept, counted, shown to people, and given a meaning without a deployment."""
