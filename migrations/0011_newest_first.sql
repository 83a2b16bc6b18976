-- The newest episode and the newest work of an account are what everybody asks for: with the tie's key in the index, nothing
-- has to be sorted for one row.
DROP INDEX tandem.risk_account;
CREATE INDEX risk_account ON tandem.risk (org_id, account_id, since DESC, risk_id);
DROP INDEX tandem.renewal_account;
CREATE INDEX renewal_account ON tandem.renewal (org_id, account_id, deadline DESC, renewal_id);
