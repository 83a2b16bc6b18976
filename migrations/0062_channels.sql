-- Channels in place of direct messages: for a pool's offers, for a lead's morning.

CREATE TABLE tandem.channel_target (
  org_id       uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  kind         text NOT NULL CHECK (kind IN ('pool', 'lead')),
  whose        text COLLATE "C" NOT NULL CHECK (whose <> ''),
  platform     text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id text NOT NULL,
  channel_id   text NOT NULL CHECK (channel_id <> ''),
  set_at       timestamptz NOT NULL,
  PRIMARY KEY (org_id, kind, whose)
);
COMMENT ON TABLE tandem.channel_target IS
  'Where a pool reads its offers and a lead the team''s morning, instead of direct messages. One channel each.';
COMMENT ON COLUMN tandem.channel_target.whose IS 'The pool''s name, or the lead''s person_id.';
COMMENT ON COLUMN tandem.channel_target.channel_id IS 'As the platform names it. Who reads there is asked before each message.';

CALL tandem.isolate('tandem.channel_target');
