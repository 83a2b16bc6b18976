-- What a lane owes, in the order in which it is taken: a page of thousands is read without sorting them all.

DROP INDEX tandem.outbox_open;
CREATE INDEX outbox_open ON tandem.outbox (org_id, platform, workspace_id, due_at, outbox_id)
  WHERE state IN ('queued', 'sending');
