-- Who works here, and the customers they look after.

CREATE TABLE tandem.person (
  org_id              uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  person_id           uuid NOT NULL,
  email               text COLLATE "C" NOT NULL CHECK (email = lower(email) AND email <> ''),
  name                text NOT NULL CHECK (name <> ''),
  roles               text[] NOT NULL
                      CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['csm', 'account_manager', 'lead', 'admin', 'viewer']),
  timezone            text,
  digest_time         time NOT NULL DEFAULT '08:00',
  workdays            smallint NOT NULL DEFAULT 31 CHECK (workdays BETWEEN 1 AND 127),
  manager_id          uuid,
  delegate_id         uuid,
  out_of_office_until date,
  pool                text COLLATE "C",
  slack_user_id       text COLLATE "C",
  teams_user_id       text COLLATE "C",
  active              boolean NOT NULL DEFAULT true,
  digests_since       date,
  PRIMARY KEY (org_id, person_id),
  UNIQUE (org_id, email),
  FOREIGN KEY (org_id, manager_id) REFERENCES tandem.person (org_id, person_id) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (org_id, delegate_id) REFERENCES tandem.person (org_id, person_id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX person_slack_user ON tandem.person (org_id, slack_user_id) WHERE slack_user_id IS NOT NULL;
CREATE UNIQUE INDEX person_teams_user ON tandem.person (org_id, teams_user_id) WHERE teams_user_id IS NOT NULL;
COMMENT ON TABLE tandem.person IS 'Colleagues, with their roles, hours and stand-ins.';
COMMENT ON COLUMN tandem.person.timezone IS 'IANA name; NULL means the organisation''s.';
COMMENT ON COLUMN tandem.person.digest_time IS 'Local time of the morning message.';
COMMENT ON COLUMN tandem.person.workdays IS 'Bits, Monday is 1.';
COMMENT ON COLUMN tandem.person.active IS 'False once they have left: history stays, nothing is sent or routed to them.';
COMMENT ON COLUMN tandem.person.digests_since IS 'Local date of the first digest; NULL before it.';

CREATE TABLE tandem.chat_user (
  org_id        uuid NOT NULL,
  platform      text NOT NULL CHECK (platform IN ('slack', 'teams', 'preview')),
  workspace_id  text NOT NULL,
  person_id     uuid NOT NULL,
  user_id       text COLLATE "C" NOT NULL,
  dm_channel_id text,
  unreachable_since timestamptz,
  PRIMARY KEY (org_id, platform, workspace_id, person_id),
  UNIQUE (org_id, platform, workspace_id, user_id),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.chat_user IS 'Which user of which workspace a person is, and the direct message channel once it was opened.';

CREATE TABLE tandem.account (
  org_id              uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  account_id          text COLLATE "C" NOT NULL CHECK (account_id <> ''),
  name                text NOT NULL CHECK (name <> ''),
  name_key            text COLLATE "C" NOT NULL,
  segment             text CHECK (segment IN ('smb', 'mid_market', 'enterprise')),
  arr_minor           bigint CHECK (arr_minor >= 0),
  currency            text CHECK (currency ~ '^[A-Z]{3}$'),
  seats               bigint CHECK (seats >= 0),
  plan                text,
  domains             text[] NOT NULL DEFAULT '{}',
  url                 text,
  goals               text,
  start_date          date,
  go_live_date        date,
  renewal_date        date,
  term_months         integer CHECK (term_months > 0),
  notice_period_days  integer CHECK (notice_period_days >= 0),
  auto_renew          boolean,
  csm_id              uuid,
  account_manager_id  uuid,
  pool                text COLLATE "C",
  status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'churned')),
  cost_to_serve_minor bigint CHECK (cost_to_serve_minor >= 0),
  updated_at          timestamptz NOT NULL,
  PRIMARY KEY (org_id, account_id),
  CHECK ((arr_minor IS NULL AND cost_to_serve_minor IS NULL) OR currency IS NOT NULL),
  FOREIGN KEY (org_id, csm_id) REFERENCES tandem.person (org_id, person_id),
  FOREIGN KEY (org_id, account_manager_id) REFERENCES tandem.person (org_id, person_id)
);
CREATE INDEX account_name_key ON tandem.account (org_id, name_key);
CREATE INDEX account_name_trigrams ON tandem.account USING gin (org_id, name_key public.gin_trgm_ops);
CREATE INDEX account_csm ON tandem.account (org_id, csm_id);
CREATE INDEX account_account_manager ON tandem.account (org_id, account_manager_id);
COMMENT ON TABLE tandem.account IS 'Customer companies, as last imported. NULL is not known, never zero.';
COMMENT ON COLUMN tandem.account.account_id IS 'The customer''s own id for it.';
COMMENT ON COLUMN tandem.account.name_key IS 'domain::account::name_key(name): folded, without legal suffixes. COLLATE "C" so that prefixes are ranges.';
COMMENT ON COLUMN tandem.account.arr_minor IS 'Annual recurring revenue in minor units of currency.';

-- Fuzzy look-up. Under a policy, operators that are not leakproof lose their
-- index (212 ms against 3 ms over 100,000 accounts), so this one function runs
-- as a role that may read ids and keys only, filters by the organisation
-- itself, and returns ids.
CREATE POLICY names_only ON tandem.account FOR SELECT TO tandem_names USING (true);
GRANT SELECT (org_id, account_id, name_key) ON tandem.account TO tandem_names;

CREATE FUNCTION tandem.similar_accounts(wanted text, most integer) RETURNS TABLE (account_id text, likeness real)
  LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public
  SET pg_trgm.similarity_threshold = 0.25
  AS $$
    SELECT a.account_id, greatest(public.similarity(a.name_key, wanted), public.word_similarity(wanted, a.name_key))
      FROM tandem.account a
     WHERE a.org_id = nullif(current_setting('tandem.org_id', true), '')::uuid
       AND a.name_key OPERATOR(public.%) wanted
     ORDER BY 2 DESC, a.account_id
     LIMIT least(most, 25)
  $$;
COMMENT ON FUNCTION tandem.similar_accounts(text, integer) IS
  'SECURITY DEFINER: reads ids and name keys only, of the transaction''s organisation only, and returns ids.';
REVOKE ALL ON FUNCTION tandem.similar_accounts(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tandem.similar_accounts(text, integer) TO tandem_app;
-- Giving the function to its role needs CREATE on the schema for that moment.
GRANT CREATE ON SCHEMA tandem TO tandem_names;
ALTER FUNCTION tandem.similar_accounts(text, integer) OWNER TO tandem_names;
REVOKE CREATE ON SCHEMA tandem FROM tandem_names;

CREATE TABLE tandem.contact (
  org_id           uuid NOT NULL,
  account_id       text COLLATE "C" NOT NULL,
  email            text COLLATE "C" NOT NULL CHECK (email = lower(email) AND email <> ''),
  name             text,
  title            text,
  phone            text,
  persona          text CHECK (persona IN ('economic_buyer', 'champion', 'admin', 'user')),
  last_interaction date,
  departed_on      date,
  PRIMARY KEY (org_id, account_id, email),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.contact IS 'People at the customer.';

CREATE TABLE tandem.organisation_setting (
  org_id uuid PRIMARY KEY REFERENCES directory.organisation ON DELETE CASCADE,
  everyone_sees_accounts boolean NOT NULL DEFAULT true,
  renewal_owner text NOT NULL DEFAULT 'account_manager' CHECK (renewal_owner IN ('csm', 'account_manager')),
  segment_models jsonb NOT NULL DEFAULT '{}',
  segment_renewal_owners jsonb NOT NULL DEFAULT '{}',
  policy_toml text,
  policy_changed_at timestamptz,
  stamp bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE tandem.organisation_setting IS 'What an admin of the organisation sets. Made together with the organisation.';
COMMENT ON COLUMN tandem.organisation_setting.stamp IS
  'Grows with every change of people, accounts, settings, policy or holidays: what a process keeps of these in memory holds while the stamp does.';
COMMENT ON COLUMN tandem.organisation_setting.policy_toml IS 'The diagnosis policy in use, as the admin wrote it; NULL means the default policy.';

CREATE TABLE tandem.holiday (
  org_id  uuid NOT NULL REFERENCES directory.organisation ON DELETE CASCADE,
  date    date NOT NULL,
  country text NOT NULL DEFAULT '',
  name    text,
  PRIMARY KEY (org_id, date, country)
);
COMMENT ON COLUMN tandem.holiday.country IS 'ISO 3166 alpha-2; empty for all.';

CREATE TABLE tandem.quota (
  org_id       uuid NOT NULL,
  person_id    uuid NOT NULL,
  period       text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  PRIMARY KEY (org_id, person_id, period),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE
);
COMMENT ON COLUMN tandem.quota.period IS 'A quarter, such as 2026-Q4.';

CALL tandem.isolate('tandem.person');
CALL tandem.isolate('tandem.chat_user');
CALL tandem.isolate('tandem.account');
CALL tandem.isolate('tandem.contact');
CALL tandem.isolate('tandem.organisation_setting');
CALL tandem.isolate('tandem.holiday');
CALL tandem.isolate('tandem.quota');
