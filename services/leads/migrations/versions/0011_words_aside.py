"""What leads are searched by has a table of its own, and many leads at once get it behind their commit.

In `leads` it was half of what writing a lead costs: its trigger kept COPY from writing whole pages, and its index grew with
every change of any column.
"""

from shared.migrations import execute_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    execute_script(
        """
CREATE FUNCTION words_of(name text, note text, address text, phone text, other_phones text[]) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig, plain_words(name || ' ' || note || ' ' || address)) || phone_ends(phone, other_phones);

CREATE TABLE lead_words (
    lead_id uuid PRIMARY KEY CONSTRAINT lead_words_lead_id_fkey REFERENCES leads ON DELETE CASCADE,
    words   tsvector NOT NULL
);
COMMENT ON COLUMN lead_words.words IS 'of name, note and address, and ends of the numbers; kept by triggers of leads';
INSERT INTO lead_words SELECT id, search FROM leads;
CREATE INDEX lead_words_idx ON lead_words USING gin (words);
DROP TRIGGER leads_searched ON leads;
DROP FUNCTION lead_searched;
ALTER TABLE leads DROP COLUMN search;

CREATE TABLE lead_words_due (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_ids uuid[] NOT NULL
);
COMMENT ON TABLE lead_words_due IS 'leads that came many at once, until their words are in lead_words';

CREATE FUNCTION leads_came() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF (SELECT count(*) FROM (SELECT 1 FROM came LIMIT 101) AS c) > 100 THEN
        INSERT INTO lead_words_due (lead_ids) SELECT array_agg(id)
        FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / 500 AS part FROM came) AS p GROUP BY part ORDER BY part
    ; ELSE
        INSERT INTO lead_words SELECT id, words_of(name, note, address, phone, other_phones) FROM came
    ; END IF; RETURN NULL; END $$;
CREATE TRIGGER leads_came AFTER INSERT ON leads REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION leads_came();

CREATE FUNCTION lead_reworded() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    INSERT INTO lead_words VALUES (NEW.id, words_of(NEW.name, NEW.note, NEW.address, NEW.phone, NEW.other_phones))
    ON CONFLICT (lead_id) DO UPDATE SET words = excluded.words; RETURN NULL; END $$;
CREATE TRIGGER leads_reworded AFTER UPDATE OF name, note, address, phone, other_phones ON leads
    FOR EACH ROW EXECUTE FUNCTION lead_reworded();

-- A window is opened before its lead is written: whether the number is new and its lock are one statement.
ALTER TABLE duplicate_windows ALTER CONSTRAINT duplicate_windows_anchor_id_fkey DEFERRABLE INITIALLY DEFERRED;
"""
    )
