-- How often each source delivers, so that a late one can be told from one that comes seldom.

ALTER TABLE tandem.diagnosis_run ADD COLUMN rhythms jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN tandem.diagnosis_run.rhythms IS
    'By source, where it has delivered at least twice: the usual days between two deliveries, and how many days after the last one it is late.';
