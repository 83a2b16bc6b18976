-- Lines and the choice of cards read a whole body for its first cause and one answer.
ALTER TABLE tandem.diagnosis ADD COLUMN cause text, ADD COLUMN auto_renew boolean, ADD COLUMN gist_of uuid;
COMMENT ON COLUMN tandem.diagnosis.cause IS 'The rule of the first cause.';
COMMENT ON COLUMN tandem.diagnosis.auto_renew IS 'The latest signal, else the account''s column: deadlines are read with it.';
COMMENT ON COLUMN tandem.diagnosis.gist_of IS
  'The body of which cause and auto_renew are said. Where it is not detail_id an older release has written the row, or over it, and the body itself is read.';
