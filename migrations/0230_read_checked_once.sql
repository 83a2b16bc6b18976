-- What a row is compared with when it is read is looked up once a statement too, as 0151 did for what is written. The bare
-- comparison becomes one check before a scan, as said there; but what is looked up account by account scans once for each,
-- and there the setting was found, read and parsed each time: a tenth of such a statement.

DO $$
DECLARE
  isolated record;
BEGIN
  FOR isolated IN SELECT polrelid::regclass AS target FROM pg_policy WHERE polname = 'own_organisation' LOOP
    EXECUTE format(
      'ALTER POLICY own_organisation ON %s '
      'USING (org_id = (SELECT nullif(current_setting(''tandem.org_id'', true), '''')::uuid))', isolated.target);
  END LOOP;
END $$;

CREATE OR REPLACE PROCEDURE tandem.isolate(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
  LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  -- Written out rather than through current_org(), which the planner can't see into; in a SELECT, so that it is looked up
  -- once a statement.
  EXECUTE format(
    'CREATE POLICY own_organisation ON %s TO tandem_app '
    'USING (org_id = (SELECT nullif(current_setting(''tandem.org_id'', true), '''')::uuid)) '
    'WITH CHECK (org_id = (SELECT nullif(current_setting(''tandem.org_id'', true), '''')::uuid))', target);
  EXECUTE format('GRANT %s ON %s TO tandem_app', privileges, target);
END $$;
