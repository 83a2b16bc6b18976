-- What the key figures read.

-- The events from which figures are counted, by kind and business time. Partial, since most of the trail
-- (digests, imports, runs) is none of theirs and would only make clicks dearer. store::figures names the same list.
CREATE INDEX audit_event_figures ON tandem.audit_event (org_id, event, at)
  WHERE event IN (
    'risk.opened', 'risk.reopened', 'risk.woken', 'risk.acknowledged', 'risk.step_set', 'risk.snoozed', 'risk.resolved',
    'risk.ended', 'window.opened', 'window.passed', 'window.closed', 'window.overridden', 'handoff.qualified',
    'handoff.offered', 'handoff.accepted', 'handoff.declined', 'handoff.expired', 'handoff.withdrawn',
    'handoff.handed_back', 'handoff.reassigned', 'handoff.won', 'handoff.lost', 'renewal.step', 'renewal.preparing',
    'renewal.negotiating', 'renewal.renewed', 'renewal.contracted', 'renewal.lost', 'note.added');

-- What is open now, without the years of what has ended.
CREATE INDEX handoff_open ON tandem.handoff (org_id, account_id) WHERE accountable IS NOT NULL;
