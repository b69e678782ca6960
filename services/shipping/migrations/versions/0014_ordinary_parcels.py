"""A report that is later than all others of an ordinary parcel is followed from the parcel's row alone."""

from shared.migrations import execute_script

revision = "0014"
down_revision = "0013"

ORDINARY = """
ALTER TABLE shipments ADD COLUMN ordinary_until timestamptz, ADD COLUMN followed_at timestamptz;
COMMENT ON COLUMN shipments.ordinary_until IS
    'carrier''s time of the newest report, where the row says all that a later one needs; null = the timeline is read';
COMMENT ON COLUMN shipments.followed_at IS 'updated_at of when ordinary_until was known; the two differ = it may not hold';
"""


def upgrade() -> None:
    execute_script(ORDINARY)
