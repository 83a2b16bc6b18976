-- What is said to whom, which copies exist, and what is still to be sent.

CREATE TABLE tandem.digest (
  org_id       uuid NOT NULL,
  digest_id    uuid NOT NULL,
  person_id    uuid NOT NULL,
  local_date   date NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('morning')),
  diagnosed_on date NOT NULL,
  late         boolean NOT NULL,
  totals       jsonb NOT NULL,
  queued_at    timestamptz NOT NULL,
  PRIMARY KEY (org_id, digest_id),
  UNIQUE (org_id, person_id, local_date, kind),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.digest IS 'One person''s morning message; the unique key is what makes it one.';
COMMENT ON COLUMN tandem.digest.totals IS 'Counts and sums of that morning; ids only, no text.';

CREATE TABLE tandem.digest_item (
  org_id     uuid NOT NULL,
  digest_id  uuid NOT NULL,
  position   integer NOT NULL,
  group_no   integer,
  subject    text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  heading    text,
  why        text,
  comes_back date,
  PRIMARY KEY (org_id, digest_id, position),
  FOREIGN KEY (org_id, digest_id) REFERENCES tandem.digest (org_id, digest_id) ON DELETE CASCADE
);
CREATE INDEX digest_item_subject ON tandem.digest_item (org_id, subject);
COMMENT ON TABLE tandem.digest_item IS 'Cards (group_no NULL) and one-line items of the grouped rest, in order.';
COMMENT ON COLUMN tandem.digest_item.group_no IS 'NULL for a card, 0 for what the health gate withholds, from 1 the groups of the rest.';
COMMENT ON COLUMN tandem.digest_item.why IS 'Why it stood there that morning.';
COMMENT ON COLUMN tandem.digest_item.heading IS 'The cause that a group of the rest shares, as a rule''s name.';
COMMENT ON COLUMN tandem.digest_item.subject IS 'domain::action::Subject: risk:…, handoff:…, renewal:…';

CREATE TABLE tandem.message (
  org_id       uuid NOT NULL,
  message_id   uuid NOT NULL,
  platform     text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id text NOT NULL,
  person_id    uuid,
  channel_id   text,
  content      jsonb NOT NULL,
  thread_of    uuid,
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (org_id, message_id),
  CHECK (person_id IS NOT NULL OR channel_id IS NOT NULL),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.message IS 'One thing said in one place. Its text is never stored: it is rendered from the present state at each sending.';
COMMENT ON COLUMN tandem.message.content IS 'app::content::Content: which message, as ids.';
COMMENT ON COLUMN tandem.message.person_id IS 'Whose direct messages, or NULL for a channel.';

CREATE TABLE tandem.message_copy (
  org_id     uuid NOT NULL,
  message_id uuid NOT NULL,
  part       integer NOT NULL,
  channel_id text NOT NULL,
  ts         text NOT NULL,
  sent_at    timestamptz NOT NULL,
  PRIMARY KEY (org_id, message_id, part),
  FOREIGN KEY (org_id, message_id) REFERENCES tandem.message (org_id, message_id) ON DELETE CASCADE
);
CREATE INDEX message_copy_place ON tandem.message_copy (org_id, channel_id, ts);
COMMENT ON TABLE tandem.message_copy IS 'Where each part of a message stands in chat: part 0 is the parent, the rest its thread.';

CREATE TABLE tandem.message_account (
  org_id     uuid NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  message_id uuid NOT NULL,
  PRIMARY KEY (org_id, account_id, message_id),
  FOREIGN KEY (org_id, message_id) REFERENCES tandem.message (org_id, message_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.message_account IS 'Which messages show an account, and so are redrawn when something about it changes.';

CREATE TABLE tandem.outbox (
  org_id       uuid NOT NULL,
  outbox_id    uuid NOT NULL,
  platform     text NOT NULL,
  workspace_id text NOT NULL,
  message_id   uuid NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('post', 'redraw')),
  state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'given_up')),
  attempts     integer NOT NULL DEFAULT 0,
  due_at       timestamptz NOT NULL,
  fence        bigint,
  sending_part integer,
  problem      text,
  queued_at    timestamptz NOT NULL,
  settled_at   timestamptz,
  PRIMARY KEY (org_id, outbox_id),
  FOREIGN KEY (org_id, message_id) REFERENCES tandem.message (org_id, message_id) ON DELETE CASCADE
);
CREATE INDEX outbox_open ON tandem.outbox (org_id, platform, workspace_id, due_at) WHERE state IN ('queued', 'sending');
CREATE UNIQUE INDEX outbox_one_post ON tandem.outbox (org_id, message_id) WHERE kind = 'post';
CREATE UNIQUE INDEX outbox_one_redraw ON tandem.outbox (org_id, message_id) WHERE kind = 'redraw' AND state = 'queued';
COMMENT ON TABLE tandem.outbox IS 'What is to be sent: ids only, never text or personal data. Many changes make one redraw.';
COMMENT ON COLUMN tandem.outbox.fence IS 'Fencing token of the lease under which it is being sent.';
COMMENT ON COLUMN tandem.outbox.problem IS 'The last error''s code, without payloads.';

CREATE TABLE tandem.inbound_receipt (
  org_id      uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  receipt     text COLLATE "C" NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, receipt)
);
CREATE INDEX inbound_receipt_age ON tandem.inbound_receipt (org_id, received_at);
COMMENT ON TABLE tandem.inbound_receipt IS 'Which clicks and events were acted on, so that a repeated one has one effect. Kept 30 days.';

CALL tandem.isolate('tandem.digest');
CALL tandem.isolate('tandem.digest_item');
CALL tandem.isolate('tandem.message');
CALL tandem.isolate('tandem.message_copy');
CALL tandem.isolate('tandem.message_account');
CALL tandem.isolate('tandem.outbox');
CALL tandem.isolate('tandem.inbound_receipt');
