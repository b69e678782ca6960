"""What orders are sought by, found by era as customers are (step 0020).

A list of a salesperson, of a rare level or of a name walked through the orders of everybody, or gathered all that match.
"""

import sqlalchemy as sa
from alembic import op

from shared.migrations import execute_script

revision = "0021"
down_revision = "0020"

TABLE = """
CREATE TABLE order_search (
    order_id uuid PRIMARY KEY,
    tokens   tsvector NOT NULL
);
COMMENT ON TABLE order_search IS 'kept by triggers of orders, whose holder writes it; apart, because orders change often';
COMMENT ON COLUMN order_search.tokens IS 'words of the names; .l level, .v holder and closer, .u nobody holds it';

CREATE FUNCTION order_tokens(search tsvector, level text, owner_id uuid, closer_id uuid) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN array_to_tsvector(array_remove(tsvector_to_array(search) || ARRAY[
    '.l' || level, coalesce(id_token('v', owner_id), '.u'), id_token('v', closer_id)], NULL));

CREATE FUNCTION orders_searched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO order_search SELECT id, order_tokens(search, level, owner_id, closer_id) FROM came; RETURN NULL; END $$;
CREATE FUNCTION order_searched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE order_search SET tokens = order_tokens(NEW.search, NEW.level, NEW.owner_id, NEW.closer_id)
    WHERE order_id = NEW.id; RETURN NULL; END $$;
CREATE FUNCTION order_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM order_search WHERE order_id = OLD.id; RETURN NULL; END $$;
CREATE TRIGGER orders_searched AFTER INSERT ON orders REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION orders_searched();
CREATE TRIGGER order_searched AFTER UPDATE OF search, level, owner_id, closer_id ON orders
    FOR EACH ROW WHEN ((OLD.search, OLD.level, OLD.owner_id, OLD.closer_id)
        IS DISTINCT FROM (NEW.search, NEW.level, NEW.owner_id, NEW.closer_id)) EXECUTE FUNCTION order_searched();
CREATE TRIGGER order_gone AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION order_gone();

INSERT INTO order_search SELECT id, order_tokens(search, level, owner_id, closer_id) FROM orders ORDER BY id;
CREATE INDEX order_search_tokens_idx ON order_search USING gin (era_tokens(order_id, tokens))
    WITH (gin_pending_list_limit = 64);
DROP INDEX orders_search_idx;
"""

OF_ERA = """
CREATE FUNCTION orders_of_era(era text, template text, wanted tsquery, upper uuid, most integer) RETURNS uuid[]
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
    RETURN ARRAY(SELECT order_id FROM (
        SELECT order_id FROM order_search
        WHERE era_tokens(order_id, tokens) @@ CAST(replace(template, '@', era || '/') AS tsquery) AND tokens @@ wanted
            AND (order_id < upper) IS TRUE
        LIMIT most) found ORDER BY order_id DESC); END $$
"""

SOUGHT = """
CREATE FUNCTION orders_sought(
    template text, wanted tsquery, before uuid, enough integer, OUT ids uuid[], OUT place uuid)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    few CONSTANT integer := 250;   -- of an era in which more match its parts are looked at, of a part its newest
    near CONSTANT integer := 5000; -- the newest of a part that are looked through
    eras CONSTANT integer := 256;  -- looked at for one answer: 35 years
    upper uuid := coalesce(before, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    until CONSTANT timestamptz := clock_timestamp() + interval '2 seconds'; -- some 30 million orders with common words
    top uuid; era text; part text; start uuid; met uuid[];
BEGIN
    ids := '{}';
    FOR looked IN 1..eras LOOP
        SELECT order_id INTO top FROM order_search WHERE order_id < upper ORDER BY order_id DESC LIMIT 1;
        IF top IS NULL THEN place := NULL; RETURN; END IF;
        era := left(CAST(top AS text), 4);
        met := orders_of_era(era, template, wanted, upper, few + 1);
        IF cardinality(met) <= few THEN
            ids := ids || met;
        ELSE FOR digit IN REVERSE 15..0 LOOP
            part := era || to_hex(digit);
            start := CAST(part || '000-0000-0000-0000-000000000000' AS uuid);
            CONTINUE WHEN start > top;
            met := orders_of_era(part, template, wanted, upper, few + 1);
            IF cardinality(met) > few THEN
                met := ARRAY(SELECT order_id FROM (
                    SELECT * FROM order_search WHERE order_id >= start AND order_id < upper
                    ORDER BY order_id DESC LIMIT near) newest
                WHERE tokens @@ wanted ORDER BY order_id DESC LIMIT enough - cardinality(ids));
                IF cardinality(ids) + cardinality(met) >= enough THEN
                    start := met[cardinality(met)];
                ELSE
                    SELECT coalesce((SELECT order_id FROM order_search WHERE order_id >= start AND order_id < upper
                        ORDER BY order_id DESC OFFSET near - 1 LIMIT 1), start) INTO start;
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
COMMENT ON FUNCTION orders_of_era IS 'template: a query in which @ stands for the era; upper: only orders before it';
COMMENT ON FUNCTION orders_sought IS
    'the newest that match, `enough` unless there are fewer; place: everything from there on was looked at, null: everything';
"""


def upgrade() -> None:
    execute_script(TABLE)
    for function in (OF_ERA, SOUGHT):
        op.execute(sa.text(function.replace(":", "\\:")))  # with semicolons inside
    execute_script(SAID)
