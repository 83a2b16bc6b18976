-- How useful rules are, and what rules on trial would have said.

CREATE TABLE tandem.shadow_firing (
  org_id     uuid NOT NULL,
  rule       text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  first_on   date NOT NULL,
  last_on    date NOT NULL CHECK (last_on >= first_on),
  PRIMARY KEY (org_id, rule, account_id),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.shadow_firing IS
  'On which accounts a rule on trial would have been a cause; forgotten when its trial ends. What came after decides whether it comes back.';
COMMENT ON COLUMN tandem.shadow_firing.first_on IS 'The first live night of the trial on which it fired.';

CALL tandem.isolate('tandem.shadow_firing');

CREATE INDEX judgement_at ON tandem.judgement (org_id, at);
CREATE INDEX digest_date ON tandem.digest (org_id, local_date);
