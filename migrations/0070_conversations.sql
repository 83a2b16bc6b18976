-- Where Teams can be written to. Slack needs none of this: a channel's id is enough there.

CREATE TABLE tandem.conversation (
  org_id          uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  platform        text NOT NULL CHECK (platform = 'teams'),
  workspace_id    text NOT NULL CHECK (workspace_id <> ''),
  conversation_id text COLLATE "C" NOT NULL CHECK (conversation_id <> ''),
  scope           text NOT NULL CHECK (scope IN ('personal', 'channel', 'groupChat')),
  service_url     text NOT NULL CHECK (service_url <> ''),
  seen_at         timestamptz NOT NULL,
  PRIMARY KEY (org_id, platform, workspace_id, conversation_id)
);
CREATE INDEX conversation_seen ON tandem.conversation (org_id, platform, workspace_id, seen_at);
COMMENT ON TABLE tandem.conversation IS 'Conversations that the app is in, each with the address at which the platform wants to be called for it.';
COMMENT ON COLUMN tandem.conversation.conversation_id IS 'As the platform names it, without the thread.';
COMMENT ON COLUMN tandem.conversation.service_url IS 'As the last activity said it; checked against the list of addresses that may be called each time it is used.';
COMMENT ON COLUMN tandem.conversation.seen_at IS 'The last activity, to the minute: the newest address is used for people who have not written yet.';
CALL tandem.isolate('tandem.conversation');
