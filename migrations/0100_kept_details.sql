-- What a night writes of an account whose read stays the same: one narrow row and nothing else. What the next night compares
-- with stands in that row, so that reading it needs no body; and whether a body is still wanted is told by its own date, so
-- that no index over all nights has to be kept for it (that was a third of what storing a night took).

ALTER TABLE tandem.diagnosis
  ADD COLUMN detail_on date NOT NULL DEFAULT current_date,
  ADD COLUMN floors jsonb,
  ADD COLUMN windows jsonb;
ALTER TABLE tandem.diagnosis ALTER COLUMN detail_on DROP DEFAULT;
ALTER TABLE tandem.diagnosis_detail ADD COLUMN seen_on date NOT NULL DEFAULT current_date;
ALTER TABLE tandem.diagnosis_detail ALTER COLUMN seen_on DROP DEFAULT;

-- Row level security is forced on the owner too; until this is committed nobody else sees the tables.
ALTER TABLE tandem.diagnosis NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tandem.diagnosis_detail NO FORCE ROW LEVEL SECURITY;
UPDATE tandem.diagnosis d SET floors = nullif(t.floors, '[]'), windows = nullif(t.windows, '[]')
  FROM tandem.diagnosis_detail t
 WHERE t.org_id = d.org_id AND t.account_id = d.account_id AND t.detail_id = d.detail_id
   AND (t.floors <> '[]' OR t.windows <> '[]');
ALTER TABLE tandem.diagnosis FORCE ROW LEVEL SECURITY;
ALTER TABLE tandem.diagnosis_detail FORCE ROW LEVEL SECURITY;

ALTER TABLE tandem.diagnosis_detail DROP COLUMN floors, DROP COLUMN windows;
DROP INDEX tandem.diagnosis_detail_used;
-- What got worse lately is asked for the accounts of each person's morning; it is few.
CREATE INDEX diagnosis_worse ON tandem.diagnosis (org_id, account_id, date) WHERE change = 'worse';
CREATE INDEX diagnosis_detail_seen ON tandem.diagnosis_detail (org_id, seen_on);
COMMENT ON TABLE tandem.diagnosis_detail IS
  'Causes, families and windows; written only when they changed, and again when they have stayed the same for a month. detail_id is a hash of the body.';
COMMENT ON COLUMN tandem.diagnosis_detail.seen_on IS
  'The latest night that wrote it. Nights refer to it for less than 30 days after, so that it can be told when nobody does any more.';
COMMENT ON COLUMN tandem.diagnosis.detail_on IS 'A night that wrote the detail: less than 30 days before this one, or after it.';
COMMENT ON COLUMN tandem.diagnosis.floors IS
  'The rules of decisions that stood, as in the detail: what the next night compares with. NULL for none.';
COMMENT ON COLUMN tandem.diagnosis.windows IS 'The windows, as in the detail: the next night keeps their dates. NULL for none.';
