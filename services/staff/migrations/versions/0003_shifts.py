"""Shifts ('ca làm việc'), who is in which, and the company's days off and on."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE shifts (
    id                uuid PRIMARY KEY,
    name              text NOT NULL CONSTRAINT shifts_name_key UNIQUE,
    zone              text NOT NULL,
    weekdays          smallint[] NOT NULL
                      CONSTRAINT shifts_weekdays_check CHECK (weekdays <@ ARRAY[1, 2, 3, 4, 5, 6, 7]::smallint[]),
    periods           text[] NOT NULL,
    works_on_holidays boolean NOT NULL DEFAULT false,
    special_days      jsonb NOT NULL DEFAULT '[]',
    active            boolean NOT NULL DEFAULT true,
    version           integer NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN shifts.weekdays IS '1 = Monday … 7 = Sunday';
COMMENT ON COLUMN shifts.periods IS '08:00-12:00, by the clock of the zone, none over midnight';
COMMENT ON COLUMN shifts.special_days IS 'list of {on, periods}: dates with periods of their own, which win over holidays';

CREATE TABLE shift_members (
    shift_id   uuid NOT NULL CONSTRAINT shift_members_shift_id_fkey REFERENCES shifts,
    account_id uuid NOT NULL CONSTRAINT shift_members_account_id_fkey REFERENCES accounts (id),
    PRIMARY KEY (shift_id, account_id)
);
CREATE INDEX shift_members_account_idx ON shift_members (account_id);

CREATE TABLE special_days (
    on_date date PRIMARY KEY,
    kind    text NOT NULL CONSTRAINT special_days_kind_check CHECK (kind IN ('holiday', 'workday')),
    label   text NOT NULL DEFAULT ''
);
COMMENT ON TABLE special_days IS 'where the company differs from the public holidays: a day off more, or one that is worked';

CREATE TABLE shift_states (
    account_id    uuid PRIMARY KEY CONSTRAINT shift_states_account_id_fkey REFERENCES accounts (id),
    version       integer NOT NULL,
    holidays_till date NOT NULL
);
COMMENT ON TABLE shift_states IS 'what was last told of somebody''s shifts, with holidays up to this date';
"""
    )
