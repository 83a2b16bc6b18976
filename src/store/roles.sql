-- The roles of Tandem, made once per Postgres cluster. A login that may not
-- create roles gets this file printed by `tandem migrate --print`, for the DBA;
-- run it as one who may, with LOGIN_ROLE replaced by Tandem's login.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['tandem_app', 'tandem_directory', 'tandem_names'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', wanted);
      EXCEPTION
        -- Roles belong to the cluster: another database's migration may have just made it.
        WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
    IF NOT EXISTS (
      SELECT FROM pg_auth_members m
        JOIN pg_roles r ON r.oid = m.roleid
        JOIN pg_roles u ON u.oid = m.member
       WHERE r.rolname = wanted AND u.rolname = LOGIN_ROLE
         -- From Postgres 16 on, whoever makes a role may grant it but not SET ROLE to it; 15 has no such column.
         AND coalesce((to_jsonb(m)->>'set_option')::boolean, true)
    ) THEN
      EXECUTE format('GRANT %I TO %I', wanted, LOGIN_ROLE);
    END IF;
  END LOOP;
END $$;
