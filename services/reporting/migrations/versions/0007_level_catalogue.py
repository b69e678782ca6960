"""The levels of the company as orders tells them: names, colours, their order in the funnel."""

from shared.migrations import execute_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE level_catalogue (
    code     text PRIMARY KEY,
    parent   text,
    vi       text NOT NULL,
    en       text NOT NULL,
    colour   text NOT NULL,
    final    boolean NOT NULL,
    position integer NOT NULL,
    retired  boolean NOT NULL,
    version  integer NOT NULL
);
COMMENT ON TABLE level_catalogue IS 'projection of the catalogue that orders keeps; retired levels stay: reports name them';
"""
    )
