-- What chat says of people: their time zone, and whether their account there still works. And who says they are whom.

ALTER TABLE tandem.person ADD COLUMN chat_timezone text;
COMMENT ON COLUMN tandem.person.timezone IS 'IANA name, as imported; NULL means chat_timezone, else the organisation''s.';
COMMENT ON COLUMN tandem.person.chat_timezone IS 'IANA name that their chat account says; NULL where it says none.';

ALTER TABLE tandem.chat_user ADD COLUMN deactivated_at timestamptz;
COMMENT ON COLUMN tandem.chat_user.deactivated_at IS
  'Since when their account in the workspace is known to be deactivated; NULL while it works.';

CREATE TABLE tandem.introduction (
  org_id          uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  introduction_id uuid NOT NULL,
  platform        text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id    text NOT NULL,
  user_id         text COLLATE "C" NOT NULL CHECK (user_id <> ''),
  chat_name       text,
  chat_email      text,
  wanted          jsonb,
  channel_id      text,
  began_at        timestamptz NOT NULL,
  state           text NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'asked', 'confirmed', 'refused')),
  person_id       uuid,
  asked_at        timestamptz,
  asked_times     integer NOT NULL DEFAULT 0,
  answered_by     uuid,
  answered_at     timestamptz,
  PRIMARY KEY (org_id, introduction_id),
  UNIQUE (org_id, platform, workspace_id, user_id),
  CHECK ((state = 'begun') = (person_id IS NULL)),
  CHECK ((state IN ('confirmed', 'refused')) = (answered_by IS NOT NULL)),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, answered_by) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.introduction IS
  'Chat users whom nobody is known by: what they asked for, and whom they say they are, until somebody confirms it. Kept 30 days.';
COMMENT ON COLUMN tandem.introduction.wanted IS 'app::introduction::Wanted: what they asked for last, done once they are known.';
COMMENT ON COLUMN tandem.introduction.channel_id IS 'Where they asked for it, where that is no direct message.';
COMMENT ON COLUMN tandem.introduction.person_id IS 'Whom they say they are.';
COMMENT ON COLUMN tandem.introduction.asked_times IS 'How often they asked on the day of asked_at.';
CALL tandem.isolate('tandem.introduction');

CREATE INDEX message_introduction ON tandem.message (org_id, (content -> 'introduction' ->> 'id')) WHERE content ? 'introduction';
COMMENT ON INDEX tandem.message_introduction IS 'The copies of one question, redrawn when it is answered.';
