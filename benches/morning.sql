-- Nobody has had a morning yet, and whose direct messages are where is known: opening 5,000 conversations takes longer
-- than sending to them, and is done once.
TRUNCATE tandem.digest, tandem.digest_item, tandem.message, tandem.message_account CASCADE;
UPDATE directory.lane SET wake_at = now(), blocked_until = NULL;
INSERT INTO tandem.chat_user (org_id, platform, workspace_id, person_id, user_id, dm_channel_id)
SELECT org_id, 'slack', 'T0BENCH', person_id, slack_user_id, 'D' || substr(slack_user_id, 2) FROM tandem.person
ON CONFLICT DO NOTHING;
