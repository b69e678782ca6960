"""What leads are searched by is made anew only when its words change.

A generated column of a table with a BEFORE UPDATE trigger (0009) is made anew with every update of a row, which took as
long as the rest of an update: giving a lead to somebody reads no name.
"""

from shared.migrations import execute_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE leads ALTER COLUMN search DROP EXPRESSION, ALTER COLUMN search SET DEFAULT '';
CREATE FUNCTION lead_searched() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    NEW.search := to_tsvector('simple'::regconfig, plain_words(NEW.name || ' ' || NEW.note || ' ' || NEW.address))
        || phone_ends(NEW.phone, NEW.other_phones); RETURN NEW; END $$;
CREATE TRIGGER leads_searched BEFORE INSERT OR UPDATE OF name, note, address, phone, other_phones ON leads
    FOR EACH ROW EXECUTE FUNCTION lead_searched();
COMMENT ON COLUMN leads.search IS 'words of name, note and address, and ends of the numbers; kept by leads_searched';
"""
    )
