"""Facts, orders as reporting knows them, and rollups."""

from shared.migrations import create_messaging_tables, execute_script

revision = "0001"
down_revision = None

REACHED = """
    c3         bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    l1         bigint NOT NULL DEFAULT 0,
    l5         bigint NOT NULL DEFAULT 0,
    l7         bigint NOT NULL DEFAULT 0,
    l8         bigint NOT NULL DEFAULT 0,
    net_closed bigint NOT NULL DEFAULT 0,
"""


def upgrade() -> None:
    create_messaging_tables()
    execute_script(
        f"""
CREATE TABLE transitions (
    transition_id uuid PRIMARY KEY,
    order_id      uuid NOT NULL,
    sequence      integer NOT NULL,
    from_level    text,
    to_level      text NOT NULL,
    at            timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    day           date NOT NULL,
    cause         text NOT NULL,
    actor         text NOT NULL,
    owner_id      uuid NOT NULL,
    channel       text NOT NULL,
    marketer      text NOT NULL,
    product       text NOT NULL
);
COMMENT ON TABLE transitions IS 'append-only facts: every report on levels can be computed from these alone';
COMMENT ON COLUMN transitions.day IS 'company day of "at"';
CREATE INDEX transitions_order_idx ON transitions (order_id, sequence);
CREATE INDEX transitions_to_idx ON transitions (to_level, day, transition_id);

CREATE TABLE order_facts (
    order_id       uuid PRIMARY KEY,
    cohort_at      timestamptz,
    channel        text NOT NULL DEFAULT '',
    campaign       text NOT NULL DEFAULT '',
    landing_page   text NOT NULL DEFAULT '',
    marketer       text NOT NULL DEFAULT '',
    product        text NOT NULL DEFAULT '',
    owner_id       uuid,
    assignment     integer NOT NULL DEFAULT 0,
    level          text,
    sequence       integer NOT NULL DEFAULT 0,
    l1_at          timestamptz,
    l5_at          timestamptz,
    l7_at          timestamptz,
    l8_at          timestamptz,
    cancelled_at   timestamptz,
    unsent_at      timestamptz,
    handed_over_at timestamptz,
    closed_version integer NOT NULL DEFAULT 0,
    closed_at      timestamptz,
    closed_value   bigint NOT NULL DEFAULT 0,
    deposit        bigint NOT NULL DEFAULT 0,
    settled_at     timestamptz,
    settled_amount bigint NOT NULL DEFAULT 0
);
CREATE INDEX order_facts_level_idx ON order_facts (level, cohort_at);

CREATE TABLE level_days (
    day       date NOT NULL,
    level     text NOT NULL,
    owner_id  uuid NOT NULL,
    entered   bigint NOT NULL DEFAULT 0,
    "left"    bigint NOT NULL DEFAULT 0,
    moved_in  bigint NOT NULL DEFAULT 0,
    moved_out bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, level, owner_id)
);
COMMENT ON TABLE level_days IS 'incurred: remaining = entered - left + moved in - moved out, summed over days';

CREATE TABLE level_source_days (
    day      date NOT NULL,
    level    text NOT NULL,
    channel  text NOT NULL,
    marketer text NOT NULL,
    entered  bigint NOT NULL DEFAULT 0,
    "left"   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, level, channel, marketer)
);

CREATE TABLE cohort_source_days (
    day          date NOT NULL,
    channel      text NOT NULL,
    marketer     text NOT NULL,
    landing_page text NOT NULL,
    product      text NOT NULL,
    {REACHED}
    PRIMARY KEY (day, channel, marketer, landing_page, product)
);

CREATE TABLE cohort_owner_days (
    day      date NOT NULL,
    owner_id uuid NOT NULL,
    {REACHED}
    PRIMARY KEY (day, owner_id)
);

CREATE TABLE cohort_level_days (
    day      date NOT NULL,
    owner_id uuid NOT NULL,
    level    text NOT NULL,
    orders   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, owner_id, level)
);

CREATE TABLE money_days (
    day    date NOT NULL,
    kind   text NOT NULL CONSTRAINT money_days_kind_check CHECK (kind IN ('closed', 'delivered', 'received')),
    orders bigint NOT NULL DEFAULT 0,
    amount bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, kind)
);
"""
    )
