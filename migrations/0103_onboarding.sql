-- What an answer says of an onboarding is the newest value of each of its kinds: without an index of their own, all signals
-- that the account ever had were gone through for it.
CREATE INDEX signal_onboarding ON tandem.signal (org_id, account_id, kind, observed_on DESC, reference)
  WHERE source = 'onboarding';
