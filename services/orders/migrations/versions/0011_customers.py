"""Who the customers are: contacts, addresses of both eras, fields of the trade, merges that can be taken back."""

import sqlalchemy as sa
from alembic import op

from services.orders.addresses.naming import unit_key
from services.orders.addresses.provinces import BECAME, PROVINCES_34, PROVINCES_63
from shared.migrations import execute_script

revision = "0011"
down_revision = "0010"

# The last step is lower(), because a database in the C locale lowers ASCII alone.
WORDS = r"""
CREATE FUNCTION plain_words(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
SELECT btrim(regexp_replace(lower(regexp_replace(normalize(translate(value, 'Đđ', 'dd'), NFD), '[\u0300-\u036f]', '', 'g')),
    '[^a-z0-9]+', ' ', 'g')) $$;
COMMENT ON FUNCTION plain_words IS 'words without accents in lower case, one space between: what names are found by';
"""

UNITS = """
CREATE TABLE address_units (
    era        text NOT NULL CONSTRAINT address_units_era_check CHECK (era IN ('three_tier', 'two_tier')),
    code       text NOT NULL CONSTRAINT address_units_code_check CHECK (code ~ '^([0-9]{2}|[0-9]{3}|[0-9]{5})$'),
    tier       text NOT NULL GENERATED ALWAYS AS
               (CASE length(code) WHEN 2 THEN 'province' WHEN 3 THEN 'district' ELSE 'ward' END) STORED,
    parent     text,
    province   text NOT NULL,
    name       text NOT NULL,
    own_key    text NOT NULL,
    short_key  text NOT NULL,
    search     tsvector NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (era, code),
    CONSTRAINT address_units_parent_fkey FOREIGN KEY (era, parent) REFERENCES address_units DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT address_units_parent_check CHECK ((parent IS NULL) = (length(code) = 2)),
    CONSTRAINT address_units_tiers_check CHECK (era = 'three_tier' OR length(code) <> 3)
);
COMMENT ON TABLE address_units IS
    'official units; a code names one unit in each era (26740: Phường Bến Nghé until 2025-06-30, Phường Sài Gòn since)';
COMMENT ON COLUMN address_units.own_key IS 'words of the name; short_key leaves the kind (phường, xã …) out';
COMMENT ON COLUMN address_units.retired_at IS 'left out by a later list: not offered any more, still known';
CREATE INDEX address_units_search_idx ON address_units USING gin (search);
CREATE INDEX address_units_parent_idx ON address_units (era, parent, code);

CREATE TABLE address_unit_changes (
    old_code   text NOT NULL,
    new_code   text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    old_era    text NOT NULL GENERATED ALWAYS AS ('three_tier') STORED,
    new_era    text NOT NULL GENERATED ALWAYS AS ('two_tier') STORED,
    PRIMARY KEY (old_code, new_code),
    CONSTRAINT address_unit_changes_old_fkey FOREIGN KEY (old_era, old_code) REFERENCES address_units,
    CONSTRAINT address_unit_changes_new_fkey FOREIGN KEY (new_era, new_code) REFERENCES address_units
);
COMMENT ON TABLE address_unit_changes IS 'what became of the units on 2025-07-01; several rows for one that was split';
CREATE INDEX address_unit_changes_new_idx ON address_unit_changes (new_code);

CREATE TABLE address_unit_loads (
    id        uuid PRIMARY KEY,
    file      text NOT NULL,
    checksum  text NOT NULL,
    source    text NOT NULL,
    licence   text NOT NULL,
    units     integer NOT NULL,
    changes   integer NOT NULL,
    retired   integer NOT NULL,
    loaded_at timestamptz NOT NULL,
    by_code   text NOT NULL
);
COMMENT ON TABLE address_unit_loads IS 'which list was loaded when, and where it came from';
"""

ADDRESSES = """
ALTER TABLE customer_addresses
    ADD COLUMN province_code text NOT NULL DEFAULT '',
    ADD COLUMN district_code text NOT NULL DEFAULT '',
    ADD COLUMN ward_code     text NOT NULL DEFAULT '',
    ADD COLUMN label         text NOT NULL DEFAULT '',
    ADD COLUMN address_key   text NOT NULL GENERATED ALWAYS AS (plain_words(ward || ' ' || detail)) STORED,
    DROP COLUMN era,
    ADD COLUMN era           text NOT NULL GENERATED ALWAYS AS
        (CASE WHEN district = '' AND district_code = '' THEN 'two_tier' ELSE 'three_tier' END) STORED;
COMMENT ON COLUMN customer_addresses.era IS 'three tiers (with a district) until 2025-06-30, two tiers since';
COMMENT ON COLUMN customer_addresses.ward_code IS 'of its era; empty where the address was typed as text alone';
CREATE INDEX customer_addresses_key_idx ON customer_addresses (address_key);
ALTER TABLE orders
    ADD COLUMN province_code  text NOT NULL DEFAULT '',
    ADD COLUMN district_code  text NOT NULL DEFAULT '',
    ADD COLUMN ward_code      text NOT NULL DEFAULT '',
    ADD COLUMN fields         jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN fields_version integer NOT NULL DEFAULT 0;
CREATE INDEX orders_recipient_idx ON orders (recipient_phone) WHERE recipient_phone <> '' AND recipient_phone <> phone;
"""

CUSTOMERS = """
ALTER TABLE customers
    ADD COLUMN version        integer NOT NULL DEFAULT 1,
    ADD COLUMN tax_code       text NOT NULL DEFAULT '',
    ADD COLUMN note           text NOT NULL DEFAULT '',
    ADD COLUMN preferences    jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN fields         jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN tags           uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN blocked_at     timestamptz,
    ADD COLUMN blocked_by     text NOT NULL DEFAULT '',
    ADD COLUMN blocked_reason text NOT NULL DEFAULT '',
    ADD COLUMN name_key       text NOT NULL GENERATED ALWAYS AS (plain_words(name)) STORED,
    ADD COLUMN search         tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', plain_words(name))) STORED;
COMMENT ON COLUMN customers.version IS 'grows with each edit of the profile, its contacts, addresses, fields, tags';
COMMENT ON COLUMN customers.tags IS 'of the catalogue that leads keeps';
CREATE INDEX customers_search_idx ON customers USING gin (search) WHERE name <> '';
CREATE INDEX customers_name_idx ON customers (name_key) WHERE name_key <> '';
CREATE INDEX customers_fields_idx ON customers USING gin (fields jsonb_path_ops) WHERE fields <> '{}';
CREATE INDEX customers_tags_idx ON customers USING gin (tags) WHERE tags <> '{}';
CREATE INDEX customers_tax_code_idx ON customers (tax_code) WHERE tax_code <> '';
CREATE INDEX customers_blocked_idx ON customers (id) WHERE blocked_at IS NOT NULL;
CREATE INDEX customers_merged_idx ON customers (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE customer_contacts (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers,
    name        text NOT NULL,
    roles       text[] NOT NULL,
    note        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    search      tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', plain_words(name))) STORED
);
COMMENT ON TABLE customer_contacts IS 'people to speak with, besides the customer as such';
CREATE INDEX customer_contacts_customer_idx ON customer_contacts (customer_id, id);
CREATE INDEX customer_contacts_search_idx ON customer_contacts USING gin (search);
ALTER TABLE customer_phones
    ADD COLUMN contact_id uuid REFERENCES customer_contacts ON DELETE SET NULL,
    ADD COLUMN as_typed   text NOT NULL DEFAULT '';
COMMENT ON COLUMN customer_phones.contact_id IS 'whose it is; null = of the customer as such';
CREATE INDEX customer_phones_contact_idx ON customer_phones (contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE customer_history (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers,
    order_id    uuid REFERENCES orders,
    version     integer NOT NULL,
    kind        text NOT NULL CONSTRAINT customer_history_kind_check CHECK (kind IN (
        'profile', 'contact', 'phone', 'address', 'fields', 'tags', 'blocked', 'unblocked', 'merged', 'merged_away',
        'unmerged', 'order_fields')),
    changes     jsonb NOT NULL,
    reason      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL,
    by_id       uuid,
    by_code     text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN customer_history.changes IS 'what: [before, after]';
CREATE INDEX customer_history_customer_idx ON customer_history (customer_id, at, id);
CREATE TRIGGER customer_history_append_only BEFORE UPDATE OR DELETE ON customer_history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

FIELDS = """
CREATE TABLE custom_fields (
    subject    text NOT NULL CONSTRAINT custom_fields_subject_check CHECK (subject IN ('customer', 'order')),
    key        text NOT NULL CONSTRAINT custom_fields_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,39}$'),
    version    integer NOT NULL DEFAULT 1,
    vi         text NOT NULL,
    en         text NOT NULL,
    type       text NOT NULL CONSTRAINT custom_fields_type_check
               CHECK (type IN ('text', 'number', 'date', 'choice', 'multi_choice', 'boolean', 'phone')),
    required   boolean NOT NULL DEFAULT false,
    choices    jsonb NOT NULL DEFAULT '[]',
    position   integer NOT NULL DEFAULT 0,
    retired_at timestamptz,
    PRIMARY KEY (subject, key)
);
CREATE TABLE custom_field_versions (
    subject    text NOT NULL,
    key        text NOT NULL,
    version    integer NOT NULL,
    definition jsonb NOT NULL,
    at         timestamptz NOT NULL,
    by_code    text NOT NULL DEFAULT '',
    PRIMARY KEY (subject, key, version)
);
CREATE TRIGGER custom_field_versions_append_only BEFORE UPDATE OR DELETE ON custom_field_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

MERGES = """
CREATE TABLE customer_merges (
    id          uuid PRIMARY KEY,
    kept_id     uuid NOT NULL REFERENCES customers,
    gone_id     uuid NOT NULL REFERENCES customers,
    at          timestamptz NOT NULL,
    by_id       uuid,
    by_code     text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    kept_before jsonb NOT NULL,
    gone_before jsonb NOT NULL,
    kept_after  jsonb NOT NULL,
    undone_at   timestamptz,
    undone_by   text NOT NULL DEFAULT '',
    CONSTRAINT customer_merges_two_check CHECK (kept_id <> gone_id)
);
COMMENT ON COLUMN customer_merges.kept_after IS 'what the merge made of the one that stays: what differs since was edited';
CREATE UNIQUE INDEX customer_merges_gone_key ON customer_merges (gone_id) WHERE undone_at IS NULL;
CREATE INDEX customer_merges_kept_idx ON customer_merges (kept_id, at) WHERE undone_at IS NULL;
CREATE TABLE customer_merge_rows (
    merge_id uuid NOT NULL REFERENCES customer_merges,
    kind     text NOT NULL CONSTRAINT customer_merge_rows_kind_check
             CHECK (kind IN ('phone', 'order', 'contact', 'address', 'address_met')),
    key      text NOT NULL,
    used_at  timestamptz,
    PRIMARY KEY (merge_id, kind, key)
);
COMMENT ON TABLE customer_merge_rows IS 'every row that a merge moved';
COMMENT ON COLUMN customer_merge_rows.kind IS
    'address_met: both had it, and used_at of the one that stays was raised from this';
"""


def upgrade() -> None:
    for script in (WORDS, UNITS, ADDRESSES, CUSTOMERS, FIELDS, MERGES):
        execute_script(script)
    seed_provinces()


def seed_provinces() -> None:
    """The provinces of both eras and what became of them: the part of the official lists that is law and never changes."""
    bind = op.get_bind()
    for era, provinces in (("three_tier", PROVINCES_63), ("two_tier", PROVINCES_34)):
        for code, name in provinces.items():
            key = unit_key(name)
            bind.execute(
                sa.text(
                    "INSERT INTO address_units (era, code, province, name, own_key, short_key, search) "
                    "VALUES (:era, :code, :code, :name, :own, :short, to_tsvector('simple', :own))"
                ),
                {"era": era, "code": code, "name": name, "own": key.own, "short": key.short},
            )
    for old, new in BECAME.items():
        bind.execute(
            sa.text("INSERT INTO address_unit_changes (old_code, new_code, is_default) VALUES (:old, :new, true)"),
            {"old": old, "new": new},
        )
