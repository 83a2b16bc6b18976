-- 300 direct messages and 20 channels of five, all due now.
DELETE FROM tandem.outbox WHERE kind = 'redraw';
CREATE TEMPORARY TABLE queued AS
  (SELECT p.org_id, gen_random_uuid() AS message_id, p.person_id, NULL AS channel_id, 'A000000' AS account_id
     FROM tandem.person p JOIN tandem.chat_user u USING (org_id, person_id) WHERE u.user_id <> 'U000000'
    ORDER BY u.user_id LIMIT 300)
  UNION ALL
  SELECT o.org_id, gen_random_uuid(), NULL, 'C' || lpad(c::text, 6, '0'), 'A' || lpad(n::text, 6, '0')
    FROM directory.organisation o, generate_series(1, 20) c, generate_series(1, 5) n;
INSERT INTO tandem.message (org_id, message_id, platform, workspace_id, person_id, channel_id, content, created_at)
SELECT org_id, message_id, 'slack', 'T0BENCH', person_id, channel_id, jsonb_build_object('account', account_id), now() FROM queued;
INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
SELECT org_id, gen_random_uuid(), 'slack', 'T0BENCH', message_id, 'post', now(), now() FROM queued;
UPDATE directory.lane SET wake_at = now(), blocked_until = NULL WHERE workspace_id = 'T0BENCH';
