"""What leads tells of numbers and of everyday work: the do-not-call list, tags."""

from shared.migrations import execute_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE do_not_call (
    phone   text PRIMARY KEY,
    version bigint NOT NULL,
    entries jsonb NOT NULL
);
COMMENT ON TABLE do_not_call IS 'projection of the list that leads keeps, of the numbers that came as leads';
COMMENT ON COLUMN do_not_call.version IS '0 = as it was told with a lead; every change of the list is higher';

CREATE TABLE tags (
    id          uuid PRIMARY KEY,
    version     integer NOT NULL,
    name        text NOT NULL,
    colour      text NOT NULL,
    group_name  text NOT NULL,
    position    integer NOT NULL,
    retired     boolean NOT NULL,
    merged_into uuid
);
COMMENT ON TABLE tags IS 'projection of the catalogue that leads keeps';

CREATE TABLE order_tags (
    order_id uuid PRIMARY KEY,
    version  integer NOT NULL,
    tags     uuid[] NOT NULL
);
COMMENT ON TABLE order_tags IS 'as leads told last, also before the order is known';
"""
    )
