"""Carriers' payments on the bank account that no statement explains, on the work list."""

from shared.migrations import execute_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE cod_differences DROP CONSTRAINT cod_differences_kind_check, ADD CONSTRAINT cod_differences_kind_check
    CHECK (kind IN ('short', 'over', 'double', 'missing', 'returned_yet_paid', 'paid_not_delivered', 'wrong_fee',
        'compensation_missing', 'compensation_short', 'unknown_line', 'wrong_net', 'bank_missing', 'bank_short', 'bank_over',
        'bank_unknown'));
"""
    )
