-- Lines and the choice of cards read a whole body for its first cause and one answer. They read it still where there is no
-- course: that row is an older release's.
ALTER TABLE tandem.diagnosis ADD COLUMN cause text, ADD COLUMN auto_renew boolean;
COMMENT ON COLUMN tandem.diagnosis.cause IS 'The rule of the first cause.';
COMMENT ON COLUMN tandem.diagnosis.auto_renew IS 'The latest signal, else the account''s column: deadlines are read with it.';
