-- Posts are never deleted, so what is looked for every night has indexes that hold nothing of a morning: the redraws that were
-- made, which are forgotten after a week, and what was given up, which is next to nothing.
CREATE INDEX outbox_redrawn ON tandem.outbox (org_id, settled_at) WHERE kind = 'redraw' AND state IN ('sent', 'given_up');
CREATE INDEX outbox_given_up ON tandem.outbox (org_id, settled_at) WHERE state = 'given_up';
