"""The names by which customers are known, and the numbers and days in their fields, each in a narrow table of their own.

A name was sought in three tables, and all who have it were gathered before the newest could be shown. Here the newest are
read in order, and the rare ones gathered from few pages. Ranges of fields had no index at all.
"""

from shared.migrations import execute_script

revision = "0017"
down_revision = "0016"


NAMES = """
CREATE TABLE customer_names (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    words       tsvector NOT NULL
);
COMMENT ON TABLE customer_names IS 'kept by triggers of customers, customer_contacts and orders, which hold the keys';
COMMENT ON COLUMN customer_names.id IS 'of the customer, the contact or the order that has the name';

CREATE FUNCTION customers_came() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO customer_names SELECT id, id, to_tsvector('simple', name_key) FROM came WHERE name_key <> ''
    ; RETURN NULL; END $$;
CREATE FUNCTION customer_named() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO customer_names VALUES (NEW.id, NEW.id, to_tsvector('simple', NEW.name_key))
    ON CONFLICT (id) DO UPDATE SET words = excluded.words; RETURN NULL; END $$;
CREATE FUNCTION customer_contact_named() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO customer_names VALUES (NEW.id, NEW.customer_id, to_tsvector('simple', plain_words(NEW.name)))
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, words = excluded.words; RETURN NULL; END $$;
CREATE FUNCTION orders_came() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO customer_names SELECT id, customer_id, search FROM came WHERE search <> ''; RETURN NULL; END $$;
CREATE FUNCTION order_named() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO customer_names VALUES (NEW.id, NEW.customer_id, NEW.search)
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, words = excluded.words; RETURN NULL; END $$;
CREATE FUNCTION customer_unnamed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN DELETE FROM customer_names WHERE id = OLD.id; RETURN NULL; END $$;

CREATE TRIGGER customers_came AFTER INSERT ON customers REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION customers_came();
CREATE TRIGGER customers_named AFTER UPDATE OF name ON customers FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION customer_named();
CREATE TRIGGER customers_unnamed AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION customer_unnamed();
CREATE TRIGGER customer_contacts_named AFTER INSERT OR UPDATE OF name, customer_id ON customer_contacts
    FOR EACH ROW EXECUTE FUNCTION customer_contact_named();
CREATE TRIGGER customer_contacts_unnamed AFTER DELETE ON customer_contacts
    FOR EACH ROW EXECUTE FUNCTION customer_unnamed();
CREATE TRIGGER orders_came AFTER INSERT ON orders REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION orders_came();
CREATE TRIGGER orders_named AFTER UPDATE OF search, customer_id ON orders FOR EACH ROW
    WHEN (OLD.search IS DISTINCT FROM NEW.search OR OLD.customer_id <> NEW.customer_id) EXECUTE FUNCTION order_named();
CREATE TRIGGER orders_unnamed AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION customer_unnamed();

INSERT INTO customer_names
SELECT id, id, search FROM customers WHERE name_key <> ''
UNION ALL SELECT id, customer_id, search FROM customer_contacts
UNION ALL SELECT id, customer_id, search FROM orders WHERE search <> ''
ORDER BY 2;
CREATE INDEX customer_names_customer_idx ON customer_names (customer_id);
-- Few entries that are not in order yet: each search reads all of these.
CREATE INDEX customer_names_words_idx ON customer_names USING gin (words) WITH (gin_pending_list_limit = 256);
DROP INDEX customers_search_idx;
DROP INDEX customer_contacts_search_idx;
ALTER TABLE customers DROP COLUMN search;
ALTER TABLE customer_contacts DROP COLUMN search;
"""

VALUES = """
CREATE TABLE customer_field_values (
    key         text NOT NULL,
    customer_id uuid NOT NULL,
    number      double precision,
    day         date,
    PRIMARY KEY (key, customer_id),
    CONSTRAINT customer_field_values_one_check CHECK (num_nonnulls(number, day) = 1)
);
COMMENT ON TABLE customer_field_values IS
    'numbers and days in customers.fields, which a trigger keeps here; no key refers to customers, which hold them';
CREATE FUNCTION field_values(fields jsonb) RETURNS TABLE (key text, number double precision, day date)
LANGUAGE sql STABLE AS $$
SELECT f.key, CASE f.type WHEN 'number' THEN CAST(fields ->> f.key AS double precision) END,
    CASE f.type WHEN 'date' THEN CAST(fields ->> f.key AS date) END
FROM custom_fields f WHERE f.subject = 'customer' AND f.type IN ('number', 'date') AND fields ->> f.key IS NOT NULL $$;
CREATE FUNCTION customer_fields_filled() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM customer_field_values WHERE customer_id = OLD.id AND key IN (SELECT jsonb_object_keys(OLD.fields))
    ; END IF; IF TG_OP <> 'DELETE' THEN
        INSERT INTO customer_field_values SELECT v.key, NEW.id, v.number, v.day FROM field_values(NEW.fields) v
    ; END IF; RETURN NULL; END $$;
CREATE TRIGGER customers_filled AFTER INSERT ON customers FOR EACH ROW
    WHEN (NEW.fields <> '{}') EXECUTE FUNCTION customer_fields_filled();
CREATE TRIGGER customers_refilled AFTER UPDATE OF fields ON customers FOR EACH ROW
    WHEN (OLD.fields <> NEW.fields) EXECUTE FUNCTION customer_fields_filled();
CREATE TRIGGER customers_emptied AFTER DELETE ON customers FOR EACH ROW
    WHEN (OLD.fields <> '{}') EXECUTE FUNCTION customer_fields_filled();

INSERT INTO customer_field_values
SELECT v.key, c.id, v.number, v.day FROM customers c CROSS JOIN LATERAL field_values(c.fields) v WHERE c.fields <> '{}';
CREATE INDEX customer_field_values_number_idx ON customer_field_values (key, number, customer_id) WHERE number IS NOT NULL;
CREATE INDEX customer_field_values_day_idx ON customer_field_values (key, day, customer_id) WHERE day IS NOT NULL;
"""


def upgrade() -> None:
    execute_script(NAMES)
    execute_script(VALUES)
