"""Distribution: quotas, pauses, skills, shifts, returning customers, and what is counted of each person."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE company (
    is_one boolean PRIMARY KEY DEFAULT true CONSTRAINT company_is_one_check CHECK (is_one),
    zone   text NOT NULL DEFAULT 'Asia/Ho_Chi_Minh'
);
COMMENT ON COLUMN company.zone IS 'whose midnight renews quotas a day; one truth for all processes, from CHOT_TIMEZONE';
INSERT INTO company DEFAULT VALUES;

CREATE TABLE quota_use (
    account_id uuid PRIMARY KEY,
    day        date NOT NULL DEFAULT '0001-01-01',
    given      integer NOT NULL DEFAULT 0,
    shifts     jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
COMMENT ON TABLE quota_use IS 'leads that distribution gave to a person, of all pools; this row''s lock makes it exact';
COMMENT ON COLUMN quota_use.given IS 'on `day`, in the company''s zone';
COMMENT ON COLUMN quota_use.shifts IS 'shift → [its last date on which there were any, how many]';
INSERT INTO quota_use (account_id) SELECT DISTINCT account_id FROM pool_members;

CREATE TABLE skill_sets (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest        bytea NOT NULL CONSTRAINT skill_sets_digest_key UNIQUE,
    products      text[] NOT NULL,
    channels      text[] NOT NULL,
    landing_pages text[] NOT NULL
);
COMMENT ON TABLE skill_sets IS 'append-only, so that the record of a round can name one; an empty list takes everything';
COMMENT ON COLUMN skill_sets.products IS 'codes; one that ends in * is a product group: all codes that begin so';

ALTER TABLE pools
    ADD COLUMN capacity integer CONSTRAINT pools_capacity_check CHECK (capacity >= 0),
    ADD COLUMN day_quota integer CONSTRAINT pools_day_quota_check CHECK (day_quota >= 0),
    ADD COLUMN shift_quota integer CONSTRAINT pools_shift_quota_check CHECK (shift_quota >= 0),
    ADD COLUMN returning_to text NOT NULL DEFAULT 'closer'
        CONSTRAINT pools_returning_to_check CHECK (returning_to IN ('closer', 'pool')),
    ADD COLUMN returning_pool_id uuid CONSTRAINT pools_returning_pool_id_fkey REFERENCES pools
        CONSTRAINT pools_returning_pool_id_check CHECK (returning_pool_id <> id),
    ADD CONSTRAINT pools_returning_check CHECK (returning_to = 'closer' OR returning_pool_id IS NOT NULL);
COMMENT ON COLUMN pools.capacity IS 'of members who have none of their own, as the quotas; null = no bound';
COMMENT ON COLUMN pools.sticky IS 'a number that comes again goes to its last owner if eligible';
COMMENT ON COLUMN pools.returning_to IS 'who gets returning customers (rule D24): the last closer, or another pool';
COMMENT ON COLUMN pools.returning_pool_id IS 'the pool that cares for returning customers; with closer, when they cannot';
CREATE INDEX pools_returning_pool_id_idx ON pools (returning_pool_id) WHERE returning_pool_id IS NOT NULL;

ALTER TABLE pool_members
    ADD COLUMN day_quota integer CONSTRAINT pool_members_day_quota_check CHECK (day_quota >= 0),
    ADD COLUMN shift_quota integer CONSTRAINT pool_members_shift_quota_check CHECK (shift_quota >= 0),
    ADD COLUMN paused_until timestamptz,
    ADD COLUMN skill_set_id bigint CONSTRAINT pool_members_skill_set_id_fkey REFERENCES skill_sets,
    ADD CONSTRAINT pool_members_account_id_fkey FOREIGN KEY (account_id) REFERENCES quota_use;
COMMENT ON COLUMN pool_members.capacity IS 'leads in care that this person holds at most; null = the pool''s';
COMMENT ON COLUMN pool_members.day_quota IS 'leads of all pools that this one adds to at most in a day; null = the pool''s';
COMMENT ON COLUMN pool_members.shift_quota IS 'the same in the present shift';
COMMENT ON COLUMN pool_members.skill_set_id IS 'what this person takes; null = everything';

CREATE TABLE shift_plans (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL CONSTRAINT shift_plans_digest_key UNIQUE,
    plan   jsonb NOT NULL
);
COMMENT ON TABLE shift_plans IS 'append-only: the shifts and holidays of people, kept once for all who share them';

CREATE TABLE staff_shifts (
    account_id uuid PRIMARY KEY,
    version    integer NOT NULL,
    plan_id    bigint CONSTRAINT staff_shifts_plan_id_fkey REFERENCES shift_plans
);
COMMENT ON TABLE staff_shifts IS 'projection of the staff service; no row or no plan = no shifts, present at any time';

CREATE TABLE closers (
    phone     text PRIMARY KEY,
    closer_id uuid NOT NULL,
    closed_at timestamptz NOT NULL
);
COMMENT ON TABLE closers IS 'who closed the last order of a number (rules D21, D24), as orders told';

ALTER TABLE backlog
    ADD COLUMN channel text NOT NULL DEFAULT '',
    ADD COLUMN product text NOT NULL DEFAULT '',
    ADD COLUMN landing_page text NOT NULL DEFAULT '',
    ADD COLUMN reason text NOT NULL DEFAULT '';
UPDATE backlog b SET channel = l.channel, product = l.product, landing_page = l.landing_page FROM leads l
WHERE l.id = b.lead_id;
COMMENT ON COLUMN backlog.product IS 'with channel and landing page: what skills are asked of who takes it';
CREATE INDEX backlog_topic_idx ON backlog (pool_id, channel, product, landing_page, received_at, lead_id);

ALTER TABLE assignments ADD COLUMN topic text[];
COMMENT ON COLUMN assignments.topic IS 'channel, product, landing page, where skills were looked at';
COMMENT ON COLUMN assignments.sticky_id IS 'the last owner or closer of the number, who was asked first';
COMMENT ON COLUMN distribution_rounds.members
    IS 'list of [account, weight, credit, standing, load, capacity, given today, quota, given in the shift, quota, skill set]';
CREATE INDEX distribution_rounds_at_idx ON distribution_rounds (pool_id, at);
"""
    )
