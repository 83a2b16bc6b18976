-- Whose book something is in, looked up for each person's morning: without these, all accounts were read for each.

CREATE INDEX account_pool ON tandem.account (org_id, pool) WHERE account_manager_id IS NULL AND pool IS NOT NULL;
CREATE INDEX handoff_accountable ON tandem.handoff (org_id, accountable) WHERE accountable IS NOT NULL;
CREATE INDEX handoff_pool ON tandem.handoff (org_id, pool) WHERE pool IS NOT NULL;
CREATE INDEX renewal_owner ON tandem.renewal (org_id, owner_id) WHERE owner_id IS NOT NULL;
