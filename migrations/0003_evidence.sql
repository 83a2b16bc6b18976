-- What the sources say, and what became of accounts.

CREATE TABLE tandem.signal (
  org_id      uuid NOT NULL,
  account_id  text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  observed_on date NOT NULL,
  reference   text COLLATE "C" NOT NULL DEFAULT '',
  number      double precision,
  words       text,
  PRIMARY KEY (org_id, account_id, kind, observed_on, reference, source),
  CHECK ((number IS NULL) <> (words IS NULL)),
  CHECK (number IS NULL OR number BETWEEN 0 AND 1e300)
);
COMMENT ON TABLE tandem.signal IS
  'One dated fact of one source about one account. No foreign key: a check per row would make bulk imports several times slower, and the import joins account itself, under the same policy.';
COMMENT ON COLUMN tandem.signal.number IS 'Numbers; booleans as 1 and 0.';
COMMENT ON COLUMN tandem.signal.words IS 'Pulses, dates and the levels of measures of one''s own.';

CREATE TABLE tandem.outcome (
  org_id           uuid NOT NULL,
  account_id       text COLLATE "C" NOT NULL,
  decided_on       date NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('renewed', 'churned', 'contracted', 'expanded')),
  arr_before_minor bigint CHECK (arr_before_minor >= 0),
  arr_after_minor  bigint CHECK (arr_after_minor >= 0),
  currency         text CHECK (currency ~ '^[A-Z]{3}$'),
  PRIMARY KEY (org_id, account_id, decided_on, kind),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.outcome IS 'Known results, for fitting the policy and for key figures.';

CREATE TABLE tandem.diagnosis_run (
  org_id       uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  date         date NOT NULL,
  completed_at timestamptz NOT NULL,
  accounts     integer NOT NULL,
  live         boolean NOT NULL,
  policy_hash  text NOT NULL,
  night        jsonb NOT NULL,
  sources      jsonb NOT NULL,
  rejected     jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY (org_id, date)
);
COMMENT ON TABLE tandem.diagnosis_run IS 'A complete diagnosis of all accounts for one date; its row is written last, so a run without it never happened.';
COMMENT ON COLUMN tandem.diagnosis_run.live IS 'Run on its own day, so that risks, windows and renewals moved; a past date writes history only.';
COMMENT ON COLUMN tandem.diagnosis_run.night IS 'What the next night''s feed guard must know.';
COMMENT ON COLUMN tandem.diagnosis_run.sources IS 'The newest observation of each source on that date.';
COMMENT ON COLUMN tandem.diagnosis_run.rejected IS 'Accounts that could not be read, with the reason.';

CREATE TABLE tandem.diagnosis (
  org_id     uuid NOT NULL,
  date       date NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  health     smallint CHECK (health BETWEEN 0 AND 100),
  risk       smallint CHECK (risk BETWEEN 0 AND 100),
  band       text NOT NULL CHECK (band IN ('healthy', 'watch', 'at_risk', 'unknown')),
  change     text NOT NULL CHECK (change IN ('new', 'worse', 'same', 'better')),
  detail_id  uuid NOT NULL,
  PRIMARY KEY (org_id, date, account_id)
);
-- Whether any night still refers to a detail. Equal keys are stored once, so it stays small while details repeat.
CREATE INDEX diagnosis_detail_used ON tandem.diagnosis (org_id, account_id, detail_id);
COMMENT ON TABLE tandem.diagnosis IS 'One narrow row an account and night, kept 400 days.';

CREATE TABLE tandem.diagnosis_detail (
  org_id     uuid NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  detail_id  uuid NOT NULL,
  body       jsonb NOT NULL,
  PRIMARY KEY (org_id, account_id, detail_id)
);
COMMENT ON TABLE tandem.diagnosis_detail IS 'Causes, families and windows; written only when they changed. detail_id is a hash of the body.';

CALL tandem.isolate('tandem.signal');
CALL tandem.isolate('tandem.outcome');
CALL tandem.isolate('tandem.diagnosis_run');
CALL tandem.isolate('tandem.diagnosis');
CALL tandem.isolate('tandem.diagnosis_detail');
