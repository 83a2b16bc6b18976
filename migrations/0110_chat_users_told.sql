-- What is said to somebody whom no colleague is known by: that their introduction was refused.

ALTER TABLE tandem.message ADD COLUMN chat_user_id text CHECK (chat_user_id <> '');
ALTER TABLE tandem.message DROP CONSTRAINT message_check,
  ADD CONSTRAINT message_check CHECK (person_id IS NOT NULL OR channel_id IS NOT NULL OR chat_user_id IS NOT NULL);
COMMENT ON COLUMN tandem.message.person_id IS 'Whose direct messages, or NULL for a channel and for a chat user whom nobody is known by.';
COMMENT ON COLUMN tandem.message.chat_user_id IS
  'Whose direct messages, as the platform names them, where nobody is known by that user; NULL otherwise. Forgotten with their introduction.';

CREATE INDEX message_chat_user ON tandem.message (org_id, platform, workspace_id, chat_user_id) WHERE chat_user_id IS NOT NULL;
COMMENT ON INDEX tandem.message_chat_user IS 'What was said to somebody unknown, forgotten with their introduction.';
