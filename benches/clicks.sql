-- For every open risk one sent message, so that each click has a copy to redraw.
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.click (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id text, user_id text, value text, at timestamptz);
INSERT INTO tandem.chat_user (org_id, platform, workspace_id, person_id, user_id, dm_channel_id)
SELECT org_id, 'slack', 'T0BENCH', person_id, slack_user_id, 'D' || substr(slack_user_id, 2) FROM tandem.person
ON CONFLICT DO NOTHING;
CREATE TEMPORARY TABLE shown AS
  SELECT r.org_id, gen_random_uuid() AS message_id, r.account_id, a.csm_id
    FROM tandem.risk r JOIN tandem.account a USING (org_id, account_id) WHERE r.state = 'open';
INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, person_id, content, created_at)
SELECT org_id, message_id, 'slack', 'T0BENCH', csm_id, jsonb_build_object('account', account_id), now() FROM shown;
INSERT INTO tandem.message_account (org_id, account_id, message_id) SELECT org_id, account_id, message_id FROM shown;
INSERT INTO tandem.message_copy (org_id, message_id, part, channel_id, ts, sent_at)
SELECT org_id, message_id, 0, 'D0BENCH', '1790000000.' || lpad((row_number() OVER ())::text, 6, '0'), now() FROM shown;
INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, state, due_at, queued_at, settled_at)
SELECT org_id, gen_random_uuid(), 'slack', 'T0BENCH', message_id, 'post', 'sent', now(), now(), now() FROM shown;
