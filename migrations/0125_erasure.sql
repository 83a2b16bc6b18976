-- The audit trail goes with its organisation, and only with it: whoever could remove events while the organisation is
-- there could hide what was done. The application's role can remove none, before or after.

GRANT USAGE ON SCHEMA tandem TO tandem_directory;
GRANT DELETE ON tandem.audit_event, tandem.audit_seal TO tandem_directory;

CREATE POLICY gone_organisation ON tandem.audit_event FOR DELETE TO tandem_directory
  USING (org_id = nullif(current_setting('tandem.org_id', true), '')::uuid
         AND NOT EXISTS (SELECT FROM directory.organisation o
                          WHERE o.org_id = nullif(current_setting('tandem.org_id', true), '')::uuid));
CREATE POLICY gone_organisation ON tandem.audit_seal FOR DELETE TO tandem_directory
  USING (org_id = nullif(current_setting('tandem.org_id', true), '')::uuid
         AND NOT EXISTS (SELECT FROM directory.organisation o
                          WHERE o.org_id = nullif(current_setting('tandem.org_id', true), '')::uuid));

CREATE OR REPLACE FUNCTION tandem.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- By its role, since the tables' owner is bound by the directory's policies too and would see no organisation at all.
  IF TG_OP = 'DELETE' AND current_user = 'tandem_directory'
     AND NOT EXISTS (SELECT FROM directory.organisation o WHERE o.org_id = OLD.org_id) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
COMMENT ON FUNCTION tandem.refuse_change() IS
  'Lets nothing of an audit trail be changed or removed, except by the directory''s role once its organisation is gone.';
COMMENT ON COLUMN tandem.person.name IS 'As imported; "someone erased" once their data were erased: the row stays for the history.';
COMMENT ON COLUMN tandem.person.email IS 'Lower case. Without an @ once their data were erased: then it is no address, and names nobody.';
