"""Duplicates: the window as a setting, releases, corrections, merges, spam."""

from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE duplicate_settings (
    version        integer PRIMARY KEY CONSTRAINT duplicate_settings_version_check CHECK (version > 0),
    days           integer NOT NULL CONSTRAINT duplicate_settings_days_check CHECK (days BETWEEN 0 AND 365),
    by_product     boolean NOT NULL,
    product_groups jsonb NOT NULL,
    at             timestamptz NOT NULL,
    by_id          uuid NOT NULL,
    by             text NOT NULL
);
COMMENT ON TABLE duplicate_settings IS
    'append-only: the highest version is in force; without any, the length is that of the environment';
COMMENT ON COLUMN duplicate_settings.by_product IS
    'the product group is in the key: the same phone for another one is a new lead';
COMMENT ON COLUMN duplicate_settings.product_groups IS 'product code → name of its group; a product without one is its own group';

ALTER TABLE duplicate_windows
    ADD COLUMN product_group text NOT NULL DEFAULT '',
    ADD COLUMN product       text NOT NULL DEFAULT '',
    ADD COLUMN flag          text NOT NULL DEFAULT ''
        CONSTRAINT duplicate_windows_flag_check CHECK (flag IN ('', 'competitor', 'test')),
    DROP CONSTRAINT duplicate_windows_pkey,
    ADD CONSTRAINT duplicate_windows_pkey PRIMARY KEY (phone, product_group);
COMMENT ON TABLE duplicate_windows IS
    'one row a number, whose lock decides which of many arrivals is the lead; one more for each product group in the key';
COMMENT ON COLUMN duplicate_windows.product_group IS 'empty: the number''s own row, which everybody locks first';
COMMENT ON COLUMN duplicate_windows.product IS 'product code of the anchor';
COMMENT ON COLUMN duplicate_windows.handed_over IS
    'something was once handed over to this number: a returning customer; kept in the number''s own row';
COMMENT ON COLUMN duplicate_windows.flag IS 'this number was marked as spam; kept in the number''s own row';

ALTER TABLE leads
    ADD COLUMN version     integer NOT NULL DEFAULT 1,
    ADD COLUMN spam        text NOT NULL DEFAULT ''
        CONSTRAINT leads_spam_check CHECK (spam IN ('', 'fake', 'test', 'competitor')),
    ADD COLUMN flag        text NOT NULL DEFAULT '',
    ADD COLUMN released_at timestamptz,
    ADD CONSTRAINT leads_released_check CHECK (released_at IS NULL OR verdict = 'lead');
COMMENT ON COLUMN leads.version IS 'grows with each correction; the ETag of the next';
COMMENT ON COLUMN leads.spam IS 'what it turned out to be; counts against its source';
COMMENT ON COLUMN leads.flag IS 'its number had been marked as spam before it came';
COMMENT ON COLUMN leads.released_at IS 'it was a false duplicate until then';

CREATE TABLE overtaken_duplicates (
    lead_id uuid PRIMARY KEY CONSTRAINT overtaken_duplicates_lead_id_fkey REFERENCES leads ON DELETE CASCADE
);
COMMENT ON TABLE overtaken_duplicates IS
    'duplicates that came after their anchor was sent or had ended, before that was known here, until they are released';
"""
    )
