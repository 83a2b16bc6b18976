-- A night's details are appended behind those of the nights before. By account they went into every leaf of the key, and
-- each had to be looked for first: twice the time and twice the log of what is most of a night's writing.

-- Row level security is forced on the owner too; until this is committed nobody else sees the tables.
ALTER TABLE tandem.diagnosis NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tandem.diagnosis_detail NO FORCE ROW LEVEL SECURITY;
-- A detail that was written again had only its date changed.
UPDATE tandem.diagnosis d SET detail_on = t.seen_on
  FROM tandem.diagnosis_detail t
 WHERE t.org_id = d.org_id AND t.account_id = d.account_id AND t.detail_id = d.detail_id AND t.seen_on <> d.detail_on;
ALTER TABLE tandem.diagnosis FORCE ROW LEVEL SECURITY;
ALTER TABLE tandem.diagnosis_detail FORCE ROW LEVEL SECURITY;

DROP INDEX tandem.diagnosis_detail_seen;
ALTER TABLE tandem.diagnosis_detail RENAME COLUMN seen_on TO detail_on;
ALTER TABLE tandem.diagnosis_detail
  DROP CONSTRAINT diagnosis_detail_pkey,
  ADD PRIMARY KEY (org_id, detail_on, account_id, detail_id);
COMMENT ON COLUMN tandem.diagnosis_detail.detail_on IS
  'The night that wrote it. Nights refer to it for less than 30 days after, so that it can be told when nobody does any more.';
COMMENT ON COLUMN tandem.diagnosis.detail_on IS 'The night that wrote the detail: less than 30 days before this one, or after it.';
