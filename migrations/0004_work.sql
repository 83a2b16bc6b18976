-- What people do about the diagnosis: risks, handoffs, renewals, notes.

CREATE TABLE tandem.risk (
  org_id        uuid NOT NULL,
  risk_id       uuid NOT NULL,
  account_id    text COLLATE "C" NOT NULL,
  version       integer NOT NULL CHECK (version > 0),
  since         timestamptz NOT NULL,
  opened_on     date NOT NULL,
  raised_by     uuid,
  raised_why    text,
  calm_nights   smallint NOT NULL,
  last_night    date NOT NULL,
  latest        jsonb NOT NULL,
  confirmed     boolean NOT NULL,
  state         text NOT NULL CHECK (state IN ('open', 'acknowledged', 'snoozed', 'resolved', 'ended')),
  moved_by      uuid,
  next_step     text,
  next_step_due date,
  snoozed_until date,
  resolution    text CHECK (resolution IN ('fixed', 'accepted_loss', 'not_a_risk')),
  known         jsonb,
  PRIMARY KEY (org_id, risk_id),
  CHECK ((state IN ('acknowledged', 'snoozed', 'resolved')) = (moved_by IS NOT NULL)),
  CHECK ((state = 'acknowledged') = (next_step_due IS NOT NULL)),
  CHECK ((state = 'snoozed') = (snoozed_until IS NOT NULL)),
  CHECK ((state = 'resolved') = (resolution IS NOT NULL)),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, moved_by) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, raised_by) REFERENCES tandem.person (org_id, person_id)
);
CREATE UNIQUE INDEX risk_one_open ON tandem.risk (org_id, account_id) WHERE state IN ('open', 'acknowledged', 'snoozed');
CREATE INDEX risk_account ON tandem.risk (org_id, account_id, since DESC);
COMMENT ON TABLE tandem.risk IS 'At-risk episodes; an account has at most one that is not over.';
COMMENT ON COLUMN tandem.risk.version IS 'Grows by one with every move: the guard against lost updates.';

CREATE TABLE tandem.handoff (
  org_id          uuid NOT NULL,
  handoff_id      uuid NOT NULL,
  account_id      text COLLATE "C" NOT NULL,
  version         integer NOT NULL CHECK (version > 0),
  since           timestamptz NOT NULL,
  solo            boolean NOT NULL,
  matter          text NOT NULL CHECK (matter IN ('window', 'risk_to_weigh', 'warning')),
  note            text NOT NULL,
  window_kind     text CHECK (window_kind IN ('seats', 'usage', 'growth', 'cross_sell', 'requested')),
  amount_minor    bigint,
  currency        text CHECK (currency ~ '^[A-Z]{3}$'),
  opens_on        date,
  closes_on       date,
  co_term         boolean,
  raised_by       uuid,
  risk_id         uuid,
  withheld_by     text,
  withheld_since  timestamptz,
  overridden_by   uuid,
  overridden_at   timestamptz,
  override_reason text,
  need            text,
  contact         text,
  timing          text,
  state           text NOT NULL CHECK (state IN ('detected', 'qualified', 'offered', 'accepted', 'declined', 'expired',
                                                 'handed_back', 'won', 'lost', 'passed', 'withdrawn', 'closed')),
  accountable     uuid,
  pool            text COLLATE "C",
  offered_by      uuid,
  moved_by        uuid,
  reason          text,
  clock_since     timestamptz,
  due_at          timestamptz,
  won_minor       bigint,
  won_currency    text CHECK (won_currency ~ '^[A-Z]{3}$'),
  PRIMARY KEY (org_id, handoff_id),
  -- Exactly one accountable person in every open state, none in an end state.
  CONSTRAINT handoff_one_accountable CHECK (
    (state IN ('detected', 'qualified', 'offered', 'accepted', 'declined', 'expired', 'handed_back')) = (accountable IS NOT NULL)),
  CHECK ((matter = 'window') = (window_kind IS NOT NULL)),
  CHECK (pool IS NULL OR state = 'offered'),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, accountable) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, offered_by) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, moved_by) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, raised_by) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, overridden_by) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, risk_id) REFERENCES tandem.risk (org_id, risk_id)
);
CREATE UNIQUE INDEX handoff_one_window ON tandem.handoff (org_id, account_id, window_kind)
  WHERE matter = 'window' AND raised_by IS NULL
    AND state IN ('detected', 'qualified', 'offered', 'accepted', 'declined', 'expired', 'handed_back');
CREATE INDEX handoff_account ON tandem.handoff (org_id, account_id, since DESC);
CREATE INDEX handoff_clock ON tandem.handoff (org_id, due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE tandem.handoff IS 'The passing of expansion windows, risks and warnings between people. A window is its handoff.';
COMMENT ON COLUMN tandem.handoff.accountable IS 'While a pool has the offer: the lead of its members, else an admin.';

CREATE TABLE tandem.renewal (
  org_id      uuid NOT NULL,
  renewal_id  uuid NOT NULL,
  account_id  text COLLATE "C" NOT NULL,
  deadline    date NOT NULL,
  version     integer NOT NULL CHECK (version > 0),
  record      jsonb NOT NULL,
  state       text NOT NULL CHECK (state IN ('upcoming', 'preparing', 'negotiating', 'renewed', 'contracted', 'lost')),
  owner_id    uuid,
  PRIMARY KEY (org_id, renewal_id),
  CONSTRAINT renewal_one_owner CHECK ((state IN ('upcoming', 'preparing', 'negotiating')) = (owner_id IS NOT NULL)),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, owner_id) REFERENCES tandem.person (org_id, person_id)
);
CREATE UNIQUE INDEX renewal_one_open ON tandem.renewal (org_id, account_id)
  WHERE state IN ('upcoming', 'preparing', 'negotiating');
CREATE INDEX renewal_account ON tandem.renewal (org_id, account_id, deadline DESC);
COMMENT ON TABLE tandem.renewal IS 'The work towards a deadline, with one owner while it is open.';

CREATE TABLE tandem.note (
  org_id     uuid NOT NULL,
  note_id    uuid NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  author_id  uuid NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('note', 'feedback', 'resolution')),
  body       text NOT NULL CHECK (body <> ''),
  at         timestamptz NOT NULL,
  PRIMARY KEY (org_id, note_id),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, author_id) REFERENCES tandem.person (org_id, person_id)
);
CREATE INDEX note_account ON tandem.note (org_id, account_id, at DESC);
CREATE INDEX note_kind ON tandem.note (org_id, kind, at DESC);
COMMENT ON TABLE tandem.note IS 'What people wrote about an account; feedback is the voice of the customer.';

CREATE TABLE tandem.judgement (
  org_id     uuid NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  rule       text NOT NULL,
  person_id  uuid NOT NULL,
  at         timestamptz NOT NULL,
  PRIMARY KEY (org_id, account_id, rule, person_id),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id)
);
COMMENT ON TABLE tandem.judgement IS '"Not useful": counts against a rule''s precision.';

CALL tandem.isolate('tandem.risk');
CALL tandem.isolate('tandem.handoff');
CALL tandem.isolate('tandem.renewal');
CALL tandem.isolate('tandem.note');
CALL tandem.isolate('tandem.judgement');
