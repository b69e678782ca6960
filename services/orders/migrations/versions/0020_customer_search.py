"""What customers are sought by, in one row each, found by era: a stretch of time in which the customers came.

The index of words knew who, but not when: whoever was sought among many who all came long ago, by two common words that
nobody has together, or by a salesperson among their own customers, cost as much as all who have one of the words.
"""

import sqlalchemy as sa
from alembic import op

from shared.migrations import execute_script

revision = "0020"
down_revision = "0019"

TABLES = """
CREATE TABLE customer_search (
    customer_id uuid PRIMARY KEY,
    names       tsvector[] NOT NULL,
    tokens      tsvector NOT NULL
);
COMMENT ON TABLE customer_search IS 'derived at each commit from customers, contacts and orders; no key refers to customers';
COMMENT ON COLUMN customer_search.names IS 'words of each of their names, those of an order and its recipient together';
COMMENT ON COLUMN customer_search.tokens IS
    'words of all names; .v holders and closers of orders, .g tags, .f fields, .h having a field, .b blocked, .k organisation';

CREATE UNLOGGED TABLE customer_search_due (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    customers   uuid[] NOT NULL
);
COMMENT ON TABLE customer_search_due IS 'customers whose row is derived again before the transaction commits; always empty';
CREATE INDEX customer_search_due_idx ON customer_search_due (transaction);
"""

PARTS = """
CREATE FUNCTION field_tokens(fields jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT '.f' || left(md5(f.key || ':' || CASE jsonb_typeof(v.value)
    WHEN 'number' THEN CAST(trim_scale(CAST(v.value #>> '{}' AS numeric)) AS text) ELSE coalesce(v.value #>> '{}', '') END), 12)
FROM jsonb_each(fields) f CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(f.value) WHEN 'array' THEN f.value ELSE jsonb_build_array(f.value) END) v $$;
COMMENT ON FUNCTION field_tokens IS 'one for each value of each field; of several choices one for each';

CREATE FUNCTION id_token(kind text, id uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '.' || kind || right(CAST(id AS text), 12);
COMMENT ON FUNCTION id_token IS 'the random end of a UUIDv7: whoever is found by it is looked at once more by the whole id';

CREATE FUNCTION customers_found_by(ids uuid[]) RETURNS TABLE (customer_id uuid, names tsvector[], tokens tsvector)
LANGUAGE sql STABLE AS $$
SELECT c.id, n.names, array_to_tsvector(ARRAY(
    SELECT unnest(tsvector_to_array(name)) FROM unnest(n.names) name
    UNION SELECT id_token('v', holder) FROM orders o CROSS JOIN LATERAL (VALUES (owner_id), (closer_id)) h (holder)
        WHERE o.customer_id = c.id AND holder IS NOT NULL
    UNION SELECT id_token('g', tag) FROM unnest(c.tags) tag
    UNION SELECT field_tokens(c.fields) WHERE c.fields <> '{}'
    UNION SELECT '.h' || key FROM jsonb_object_keys(c.fields) key
    UNION SELECT '.b' WHERE c.blocked_at IS NOT NULL
    UNION SELECT '.k' WHERE c.kind = 'organisation'))
FROM customers c CROSS JOIN LATERAL (
    SELECT ARRAY(
        SELECT strip(to_tsvector('simple', c.name_key)) WHERE c.name_key <> ''
        UNION SELECT strip(to_tsvector('simple', plain_words(k.name))) FROM customer_contacts k WHERE k.customer_id = c.id
        UNION SELECT strip(o.search) FROM orders o WHERE o.customer_id = c.id AND o.search <> '') AS names
    OFFSET 0  -- made once, not wherever they are asked for
) n
WHERE c.id = ANY(ids) AND c.merged_into IS NULL $$;

"""

DERIVED = """
CREATE FUNCTION customers_derived() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE due uuid[]; held uuid[]; came uuid[];
BEGIN
    -- The first of a transaction derives for all of them.
    PERFORM FROM customer_search_due WHERE id = NEW.id; IF NOT FOUND THEN RETURN NULL; END IF;
    WITH taken AS (
        DELETE FROM customer_search_due WHERE transaction = pg_current_xact_id() RETURNING customers
    ) SELECT array_agg(DISTINCT id ORDER BY id) INTO due FROM taken CROSS JOIN LATERAL unnest(customers) id;
    -- The last locks that a transaction takes, in one order for all; nothing else is waited for under them. Whoever held
    -- one has committed, and the statements that follow see what they wrote.
    held := ARRAY(SELECT customer_id FROM customer_search WHERE customer_id = ANY(due) ORDER BY customer_id FOR UPDATE);
    came := ARRAY(SELECT unnest(due) EXCEPT SELECT unnest(held));
    INSERT INTO customer_search SELECT f.* FROM customers_found_by(came) f ORDER BY f.customer_id ON CONFLICT DO NOTHING;
    WITH found AS MATERIALIZED (SELECT * FROM customers_found_by(held))
    UPDATE customer_search s SET names = f.names, tokens = f.tokens FROM found f
        WHERE s.customer_id = f.customer_id AND (s.names <> f.names OR s.tokens <> f.tokens);
    -- Who was merged into another is not found any more; their row stays, so that it can always be locked.
    UPDATE customer_search s SET names = '{}', tokens = '' FROM customers c
        WHERE s.customer_id = ANY(held) AND c.id = s.customer_id AND c.merged_into IS NOT NULL AND s.tokens <> '';
    RETURN NULL;
END $$
"""

DERIVED_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER customer_search_due_derived AFTER INSERT ON customer_search_due DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION customers_derived();
"""

ERAS = """
CREATE FUNCTION era_tokens(customer_id uuid, tokens tsvector) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT array_to_tsvector(array_agg(left(CAST(customer_id AS text), digits) || '/' || token))
FROM unnest(tsvector_to_array(tokens)) token, (VALUES (4), (5)) era (digits) $$;
COMMENT ON FUNCTION era_tokens IS
    'tokens with the first digits of the UUIDv7 before them: four name an era of 50 days, five one of 3 days';
"""

TRIGGERS = """
DROP TABLE customer_names;
DROP TRIGGER customers_came ON customers;
DROP TRIGGER customers_named ON customers;
DROP TRIGGER customers_unnamed ON customers;
DROP TRIGGER customer_contacts_named ON customer_contacts;
DROP TRIGGER customer_contacts_unnamed ON customer_contacts;
DROP TRIGGER orders_came ON orders;
DROP TRIGGER orders_named ON orders;
DROP TRIGGER orders_unnamed ON orders;
DROP FUNCTION customers_came, customer_named, customer_contact_named, orders_came, order_named, customer_unnamed;

CREATE FUNCTION customers_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO customer_search_due (customers) SELECT array_agg(id) FROM came HAVING count(*) > 0; RETURN NULL; END $$;
CREATE FUNCTION orders_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO customer_search_due (customers)
    SELECT array_agg(DISTINCT customer_id) FROM came HAVING count(*) > 0; RETURN NULL; END $$;
CREATE FUNCTION customer_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO customer_search_due (customers) VALUES (ARRAY[NEW.id]); RETURN NULL; END $$;
CREATE FUNCTION customer_part_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO customer_search_due (customers) VALUES (
        CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.customer_id] WHEN 'DELETE' THEN ARRAY[OLD.customer_id]
        ELSE ARRAY[OLD.customer_id, NEW.customer_id] END); RETURN NULL; END $$;
CREATE FUNCTION customer_went() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM customer_search WHERE customer_id = OLD.id; RETURN NULL; END $$;

CREATE TRIGGER customers_came AFTER INSERT ON customers REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION customers_came();
CREATE TRIGGER customers_changed AFTER UPDATE OF name, kind, fields, tags, blocked_at, merged_into ON customers
    FOR EACH ROW WHEN ((OLD.name, OLD.kind, OLD.fields, OLD.tags, OLD.blocked_at IS NULL, OLD.merged_into)
        IS DISTINCT FROM (NEW.name, NEW.kind, NEW.fields, NEW.tags, NEW.blocked_at IS NULL, NEW.merged_into))
    EXECUTE FUNCTION customer_changed();
CREATE TRIGGER customers_went AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION customer_went();
CREATE TRIGGER customer_contacts_changed AFTER INSERT OR DELETE OR UPDATE OF name, customer_id ON customer_contacts
    FOR EACH ROW EXECUTE FUNCTION customer_part_changed();
CREATE TRIGGER orders_came AFTER INSERT ON orders REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION orders_came();
CREATE TRIGGER orders_changed AFTER UPDATE OF search, customer_id, owner_id, closer_id ON orders
    FOR EACH ROW WHEN ((OLD.search, OLD.customer_id, OLD.owner_id, OLD.closer_id)
        IS DISTINCT FROM (NEW.search, NEW.customer_id, NEW.owner_id, NEW.closer_id))
    EXECUTE FUNCTION customer_part_changed();
CREATE TRIGGER orders_went AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION customer_part_changed();

INSERT INTO customer_search SELECT f.* FROM customers_found_by(ARRAY(SELECT id FROM customers)) f ORDER BY customer_id;
INSERT INTO customer_search SELECT id, '{}', '' FROM customers WHERE merged_into IS NOT NULL;
-- Few entries that are not in order yet: each era that is looked at reads all of these.
CREATE INDEX customer_search_tokens_idx ON customer_search USING gin (era_tokens(customer_id, tokens))
    WITH (gin_pending_list_limit = 64);
-- What these were asked, the tokens answer.
DROP INDEX customers_fields_idx;
DROP INDEX customers_tags_idx;
DROP INDEX customers_blocked_idx;
-- The newest of many who share a name.
DROP INDEX customers_name_idx;
CREATE INDEX customers_name_idx ON customers (name_key, id) WHERE name_key <> '';
"""

OF_ERA = """
CREATE FUNCTION customers_of_era(
    era text, template text, wanted tsquery, one_name tsquery, upper uuid, most integer) RETURNS uuid[]
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
    RETURN ARRAY(SELECT customer_id FROM (
        SELECT customer_id FROM customer_search s
        WHERE era_tokens(customer_id, tokens) @@ CAST(replace(template, '@', era || '/') AS tsquery) AND tokens @@ wanted
            AND (one_name IS NULL OR EXISTS (SELECT FROM unnest(names) name WHERE name @@ one_name))
            AND (customer_id < upper) IS TRUE
        LIMIT most) found ORDER BY customer_id DESC); END $$
"""

SOUGHT = """
CREATE FUNCTION customers_sought(
    template text, wanted tsquery, one_name tsquery, before uuid, enough integer, OUT ids uuid[], OUT place uuid)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    few CONSTANT integer := 250;   -- of an era in which more match its parts are looked at, of a part its newest
    near CONSTANT integer := 5000; -- the newest of a part that are looked through
    eras CONSTANT integer := 256;  -- looked at for one answer: 35 years
    upper uuid := coalesce(before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    until CONSTANT timestamptz := clock_timestamp() + interval '2 seconds'; -- some 30 million customers with common words
    top uuid; era text; part text; start uuid; met uuid[];
BEGIN
    ids := '{}';
    FOR looked IN 1..eras LOOP
        SELECT customer_id INTO top FROM customer_search WHERE customer_id < upper ORDER BY customer_id DESC LIMIT 1;
        IF top IS NULL THEN place := NULL; RETURN; END IF;
        era := left(CAST(top AS text), 4);
        met := customers_of_era(era, template, wanted, one_name, upper, few + 1);
        IF cardinality(met) <= few THEN
            ids := ids || met;
        ELSE FOR digit IN REVERSE 15..0 LOOP
            part := era || to_hex(digit);
            start := CAST(part || '000-0000-0000-0000-000000000000' AS uuid);
            CONTINUE WHEN start > top;
            met := customers_of_era(part, template, wanted, one_name, upper, few + 1);
            IF cardinality(met) > few THEN
                met := ARRAY(SELECT customer_id FROM (
                    SELECT * FROM customer_search WHERE customer_id >= start AND customer_id < upper
                    ORDER BY customer_id DESC LIMIT near) newest
                WHERE tokens @@ wanted
                    AND (one_name IS NULL OR EXISTS (SELECT FROM unnest(names) name WHERE name @@ one_name))
                ORDER BY customer_id DESC LIMIT enough - cardinality(ids));
                IF cardinality(ids) + cardinality(met) >= enough THEN
                    start := met[cardinality(met)];
                ELSE
                    SELECT coalesce((SELECT customer_id FROM customer_search WHERE customer_id >= start AND customer_id < upper
                        ORDER BY customer_id DESC OFFSET near - 1 LIMIT 1), start) INTO start;
                END IF;
                ids := ids || met;
                place := start;
                RETURN;
            END IF;
            ids := ids || met;
            upper := start;
            EXIT WHEN cardinality(ids) >= enough;
        END LOOP; END IF;
        upper := coalesce(start, CAST(era || '0000-0000-0000-0000-000000000000' AS uuid));
        start := NULL;
        place := upper;
        IF cardinality(ids) >= enough OR clock_timestamp() > until THEN RETURN; END IF;
    END LOOP;
END $$
"""

SAID = """
COMMENT ON FUNCTION customers_of_era IS 'template: a query in which @ stands for the era; upper: only customers before it';
COMMENT ON FUNCTION customers_sought IS
    'the newest who match, `enough` unless there are fewer; place: everybody from there on was looked at, null: everybody';
"""


def upgrade() -> None:
    for script in (TABLES, PARTS):
        execute_script(script)
    for function in (DERIVED, OF_ERA, SOUGHT):
        op.execute(sa.text(function.replace(":", "\\:")))  # with semicolons inside
    for script in (DERIVED_AT_COMMIT, ERAS, TRIGGERS, SAID):
        execute_script(script)
