"""Where orders in care lie besides with somebody: in the floating pool and in the archive (rule D14)."""

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE order_places (
    order_id   uuid NOT NULL,
    assignment integer NOT NULL,
    place      text NOT NULL CONSTRAINT order_places_place_check CHECK (place IN ('care', 'floating', 'archived')),
    at         timestamptz NOT NULL,
    PRIMARY KEY (order_id, assignment, place)
);
COMMENT ON TABLE order_places IS 'append-only facts: into the floating pool, into the archive, and out of them';

ALTER TABLE order_facts ADD place text NOT NULL DEFAULT 'care', ADD place_assignment integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN order_facts.place IS 'care, floating or archived, by the highest assignment told';

CREATE TABLE place_days (
    day      date NOT NULL,
    level    text NOT NULL,
    place    text NOT NULL,
    channel  text NOT NULL,
    marketer text NOT NULL,
    entered  bigint NOT NULL DEFAULT 0,
    "left"   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, level, place, channel, marketer)
);
COMMENT ON TABLE place_days IS 'remaining of a level that lies there = entered - left, summed over days';

CREATE TABLE cohort_place_days (
    day    date NOT NULL,
    level  text NOT NULL,
    place  text NOT NULL,
    orders bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, level, place)
);
"""
    )
