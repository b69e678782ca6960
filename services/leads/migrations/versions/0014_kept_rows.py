"""What many rows name is looked at when it would go, not for every row that names it.

A foreign key costs three microseconds for each row that is written, a quarter of what PostgreSQL spends on a lead that comes
with many others. Raw items, imports, sources, pools and rounds are never deleted, and whoever writes a row that names one has
just read it or writes it in the same transaction; so it is enough that nobody deletes them. Leads are deleted by the undoing of
an import only, which holds their numbers and their rows as everybody must who writes windows or the backlog.
"""

from shared.migrations import execute_script

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE raw_items DROP CONSTRAINT raw_items_import_id_fkey, DROP CONSTRAINT raw_items_source_id_fkey;
ALTER TABLE import_rows DROP CONSTRAINT import_rows_import_id_fkey;
ALTER TABLE leads DROP CONSTRAINT leads_id_fkey, DROP CONSTRAINT leads_source_id_fkey, DROP CONSTRAINT leads_pool_id_fkey;
ALTER TABLE assignments DROP CONSTRAINT assignments_round_fkey;
ALTER TABLE backlog DROP CONSTRAINT backlog_lead_id_fkey, DROP CONSTRAINT backlog_pool_id_fkey;
ALTER TABLE duplicate_windows DROP CONSTRAINT duplicate_windows_anchor_id_fkey;

CREATE FUNCTION refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    RAISE foreign_key_violation USING MESSAGE = format('rows of %s are never deleted', TG_TABLE_NAME),
        HINT = 'Other rows name them, without a foreign key that is looked at for each.'; END $$;
CREATE TRIGGER raw_items_kept BEFORE DELETE ON raw_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion();
CREATE TRIGGER imports_kept BEFORE DELETE ON imports FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion();
CREATE TRIGGER sources_kept BEFORE DELETE ON sources FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion();
CREATE TRIGGER pools_kept BEFORE DELETE ON pools FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion();
CREATE TRIGGER distribution_rounds_kept BEFORE DELETE ON distribution_rounds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_deletion();

CREATE FUNCTION lead_deleted() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF EXISTS (SELECT 1 FROM backlog WHERE lead_id = OLD.id)
        OR EXISTS (SELECT 1 FROM duplicate_windows WHERE anchor_id = OLD.id) THEN
        RAISE foreign_key_violation
            USING MESSAGE = format('lead %s is still in the backlog or holds a duplicate window', OLD.id)
    ; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER leads_deleted AFTER DELETE ON leads DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION lead_deleted();
"""
    )
