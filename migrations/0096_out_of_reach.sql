-- Somebody who cannot be written to is stood in for, as somebody away is, until they can be again.

ALTER TABLE tandem.person ADD COLUMN unreachable_since timestamptz;
COMMENT ON COLUMN tandem.person.unreachable_since IS
  'Since when messages to them cannot be delivered; NULL once one was, or something was heard of them.';

ALTER TABLE tandem.absence ALTER COLUMN until DROP NOT NULL;
COMMENT ON COLUMN tandem.absence.until IS 'The last day away, as it was when it was told; NULL while they are here and out of reach in chat.';
