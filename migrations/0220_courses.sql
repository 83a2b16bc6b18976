-- Ninety nights of an account's health were ninety look-ups whenever somebody asked for it. The night before has them at
-- hand. Diagnoses without a course, of before this or of an older copy, are looked up as before until the next night.
-- Not held against the rows that are there, which have none: that would read them all while nobody else may.
ALTER TABLE tandem.diagnosis
  ADD COLUMN course bytea,
  ADD CONSTRAINT diagnosis_course_check CHECK (length(course) <= 90) NOT VALID;
COMMENT ON COLUMN tandem.diagnosis.course IS
  'Health on the 90 days before: a byte a day, the last of the day before, 255 where there is none; shorter where the first days have none.';
ALTER TABLE tandem.diagnosis_run ADD COLUMN behind date[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN tandem.diagnosis_run.behind IS
  'Earlier dates that were diagnosed after this one: its courses do not hold what they say.';
