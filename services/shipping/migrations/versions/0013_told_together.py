"""Less to write for a callback: what a batch tells goes into the outbox some hundreds a row, an entry of a timeline is not
looked up against its parcel once more, and the waybill by its letters and digits is not in an index of what moves."""

from shared.migrations import COMMANDS_TOGETHER, FACTS_TOGETHER, execute_script

revision = "0013"
down_revision = "0012"

# Entries are written by one statement only, for parcels whose rows its transaction holds locked (services/shipping/facts.py),
# and no parcel is ever deleted.
UNCHECKED = """
ALTER TABLE timeline_entries DROP CONSTRAINT timeline_entries_shipment_id_fkey;
COMMENT ON COLUMN timeline_entries.shipment_id IS 'of a parcel that the writing transaction holds locked';
"""

# The attempt has the waybill as well, and rests while the parcel travels.
CODES = """
DROP INDEX shipments_waybill_plain_idx;
CREATE INDEX creation_attempts_waybill_plain_idx ON creation_attempts
    (upper(regexp_replace(waybill, '[^A-Za-z0-9]', '', 'g'))) WHERE waybill <> '';
"""


def upgrade() -> None:
    execute_script(FACTS_TOGETHER)
    execute_script(COMMANDS_TOGETHER)
    execute_script(UNCHECKED)
    execute_script(CODES)
