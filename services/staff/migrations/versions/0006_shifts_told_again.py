"""The shifts of everybody are told once more: a service that keeps them only now knows nothing of those told long ago."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # The housekeeping tells of whoever's holidays run out, within the hour.
    execute_script("UPDATE shift_states SET holidays_till = '2000-01-01'")
