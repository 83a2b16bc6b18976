-- What must be known before an organisation is known, or across all of them.
-- No personal data stands here. Roles are made by store/roles.sql before this runs.

CREATE SCHEMA directory;
CREATE SCHEMA tandem;
COMMENT ON SCHEMA directory IS 'Known before an organisation is known, or across them. No personal data.';
COMMENT ON SCHEMA tandem IS 'Everything that belongs to one organisation, behind Row Level Security.';

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;

GRANT USAGE ON SCHEMA directory TO tandem_directory, tandem_app;
GRANT USAGE ON SCHEMA tandem TO tandem_app, tandem_names;

-- The organisation of the running transaction; NULL, so no row at all, where none is set.
CREATE FUNCTION tandem.current_org() RETURNS uuid
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('tandem.org_id', true), '')::uuid;
COMMENT ON FUNCTION tandem.current_org() IS 'The organisation of the running transaction, NULL where none is set.';

-- Row Level Security of one table, the same for every table that has an org_id.
CREATE PROCEDURE tandem.isolate(target regclass, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
  LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  -- Written out rather than through current_org(), so that the planner sees a bare comparison with a stable value.
  EXECUTE format(
    'CREATE POLICY own_organisation ON %s TO tandem_app '
    'USING (org_id = nullif(current_setting(''tandem.org_id'', true), '''')::uuid) '
    'WITH CHECK (org_id = nullif(current_setting(''tandem.org_id'', true), '''')::uuid)', target);
  EXECUTE format('GRANT %s ON %s TO tandem_app', privileges, target);
END $$;
COMMENT ON PROCEDURE tandem.isolate(regclass, text) IS
  'FORCE row level security, the one policy, and the grants of the application''s role.';

-- The same for tables of the directory: the application sees its own organisation, the directory role all.
CREATE PROCEDURE tandem.isolate_directory(target regclass)
  LANGUAGE plpgsql AS $$
BEGIN
  CALL tandem.isolate(target);
  EXECUTE format('CREATE POLICY across_organisations ON %s TO tandem_directory USING (true) WITH CHECK (true)', target);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tandem_directory', target);
END $$;

CREATE TABLE directory.organisation (
  org_id     uuid PRIMARY KEY,
  slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name       text NOT NULL CHECK (name <> ''),
  timezone   text NOT NULL,
  currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  model      text NOT NULL CHECK (model IN ('pair', 'combined', 'asymmetric')),
  -- The night and the date of the latest complete diagnosis: what a digest is built on.
  diagnosed_on date,
  diagnosed_at timestamptz,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE directory.organisation IS 'The tenants: one company that runs Tandem each.';
COMMENT ON COLUMN directory.organisation.timezone IS 'IANA name; the night is 02:00 there.';
COMMENT ON COLUMN directory.organisation.diagnosed_on IS 'Date of the latest complete diagnosis; digests read this one.';

CREATE TABLE directory.chat_link (
  platform     text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id text NOT NULL CHECK (workspace_id <> ''),
  org_id       uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  linked_at    timestamptz NOT NULL,
  PRIMARY KEY (platform, workspace_id)
);
CREATE INDEX chat_link_org ON directory.chat_link (org_id, platform);
COMMENT ON TABLE directory.chat_link IS 'Which workspace or tenant belongs to which organisation. A workspace has one organisation.';

CREATE TABLE directory.api_key (
  key_hash   bytea PRIMARY KEY,
  org_id     uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  key_id     uuid NOT NULL,
  name       text NOT NULL CHECK (name <> ''),
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  UNIQUE (org_id, key_id)
);
CREATE UNIQUE INDEX api_key_name ON directory.api_key (org_id, name) WHERE revoked_at IS NULL;
COMMENT ON TABLE directory.api_key IS 'SHA-256 of each API key; the key itself is shown once and never stored.';

CREATE TABLE directory.due (
  org_id  uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  kind    text NOT NULL CHECK (kind IN ('night', 'digest')),
  subject uuid NOT NULL,
  due_at  timestamptz NOT NULL,
  PRIMARY KEY (org_id, kind, subject)
);
CREATE INDEX due_at ON directory.due (due_at);
COMMENT ON TABLE directory.due IS 'What is owed when: a night per organisation, a digest per person. Recomputed after each.';
COMMENT ON COLUMN directory.due.subject IS 'The organisation for a night, the person for a digest.';

CREATE TABLE directory.lane (
  org_id        uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  platform      text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id  text NOT NULL,
  fence         bigint NOT NULL DEFAULT 0,
  holder        uuid,
  leased_until  timestamptz,
  blocked_until timestamptz,
  wake_at       timestamptz NOT NULL DEFAULT 'infinity',
  PRIMARY KEY (org_id, platform, workspace_id)
);
CREATE INDEX lane_wake ON directory.lane (wake_at);
COMMENT ON TABLE directory.lane IS 'One sender per chat installation: leased, with a fencing token, so that rate limits are exact with any number of replicas.';
COMMENT ON COLUMN directory.lane.fence IS 'Grows with every lease; a row written under an older fence is refused.';
COMMENT ON COLUMN directory.lane.leased_until IS 'By the database''s clock, as are all lease times.';
COMMENT ON COLUMN directory.lane.blocked_until IS 'The platform said Retry-After; every later holder honours it.';
COMMENT ON COLUMN directory.lane.wake_at IS 'When there may be something to send; infinity where there is nothing.';

CALL tandem.isolate_directory('directory.organisation');
CALL tandem.isolate_directory('directory.chat_link');
CALL tandem.isolate_directory('directory.api_key');
CALL tandem.isolate_directory('directory.due');
CALL tandem.isolate_directory('directory.lane');
