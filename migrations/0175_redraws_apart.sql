-- What a lane owes, of each kind in the order in which it is taken: a page of redraws is read beside a morning of posts.

DROP INDEX tandem.outbox_open;
CREATE INDEX outbox_open ON tandem.outbox (org_id, platform, workspace_id, kind, due_at, outbox_id)
  WHERE state IN ('queued', 'sending');
