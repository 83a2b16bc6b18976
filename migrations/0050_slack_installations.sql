-- Slack workspaces that installed Tandem by OAuth, and the keys that their tokens are encrypted under.

CREATE TABLE directory.data_key (
  org_id  uuid PRIMARY KEY REFERENCES directory.organisation ON DELETE CASCADE,
  wrapped bytea NOT NULL,
  made_at timestamptz NOT NULL
);
COMMENT ON TABLE directory.data_key IS 'The key that an organisation''s secrets are encrypted under, itself wrapped under a master key of TANDEM_SECRET_KEY.';
COMMENT ON COLUMN directory.data_key.wrapped IS 'vault: master key id, nonce, ciphertext.';

CREATE TABLE directory.slack_installation (
  team_id       text COLLATE "C" PRIMARY KEY CHECK (team_id <> ''),
  org_id        uuid REFERENCES directory.organisation ON DELETE CASCADE,
  team_name     text NOT NULL,
  enterprise_id text,
  bot_user_id   text NOT NULL,
  scopes        text[] NOT NULL,
  installed_by  text NOT NULL,
  installed_at  timestamptz NOT NULL,
  removed_at    timestamptz,
  access_token  bytea,
  refresh_token bytea,
  expires_at    timestamptz,
  CHECK ((access_token IS NULL) = (removed_at IS NOT NULL)),
  CHECK (removed_at IS NULL OR refresh_token IS NULL)
);
CREATE INDEX slack_installation_org ON directory.slack_installation (org_id);
CREATE INDEX slack_installation_expiry ON directory.slack_installation (expires_at) WHERE expires_at IS NOT NULL;
COMMENT ON TABLE directory.slack_installation IS 'Who let Tandem into which workspace, and the tokens for it. Which organisation a workspace belongs to is said by chat_link alone.';
COMMENT ON COLUMN directory.slack_installation.org_id IS 'Under whose data key the tokens are encrypted; NULL before the workspace is linked: then under the master key.';
COMMENT ON COLUMN directory.slack_installation.installed_by IS 'Slack''s id of whoever installed it.';
COMMENT ON COLUMN directory.slack_installation.removed_at IS 'When it was uninstalled; its tokens are deleted with that.';
COMMENT ON COLUMN directory.slack_installation.access_token IS 'vault: key id, nonce, ciphertext. NULL once removed.';
COMMENT ON COLUMN directory.slack_installation.refresh_token IS 'The same; used once. NULL where the app''s tokens do not expire.';

CALL tandem.isolate_directory('directory.data_key');
CALL tandem.isolate_directory('directory.slack_installation');

-- An install link is good for one use. Signed, so that asking for one stores nothing; only what was used is kept, until it expires.
CREATE TABLE directory.used_install_link (
  link_hash  bytea PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
ALTER TABLE directory.used_install_link ENABLE ROW LEVEL SECURITY;
ALTER TABLE directory.used_install_link FORCE ROW LEVEL SECURITY;
CREATE POLICY across_organisations ON directory.used_install_link TO tandem_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON directory.used_install_link TO tandem_directory;
CREATE INDEX used_install_link_expiry ON directory.used_install_link (expires_at);
COMMENT ON TABLE directory.used_install_link IS 'SHA-256 of each OAuth state that was used: none works twice. Belongs to no organisation, since none is known yet.';
