-- Channels of Teams that are shared with other teams: their roster does not list everybody who reads there.

ALTER TABLE tandem.conversation ADD COLUMN shared boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tandem.conversation.shared IS
  'A shared channel, as an activity in it said: people of other companies may be let in at any time, so nothing about an account is posted there.';
