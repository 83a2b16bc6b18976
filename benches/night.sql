-- The yardstick of a night: every signal read once, one row an account upserted.
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.night (org_id uuid, account_id text COLLATE "C", rows bigint, total double precision, newest date,
  PRIMARY KEY (org_id, account_id));
INSERT INTO bench.night AS t
SELECT org_id, account_id, count(*), sum(number), max(observed_on) FROM tandem.signal GROUP BY org_id, account_id
ON CONFLICT (org_id, account_id) DO UPDATE SET rows = excluded.rows, total = excluded.total, newest = excluded.newest;
