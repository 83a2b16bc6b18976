-- A morning starts clocks of thousands of cards at once, and row by row each took as long as ten rows that are read. Of what
-- one statement moves, directory.due is told in one now; what is made or goes with its clock is few.

CREATE FUNCTION tandem.follow_clocks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  orgs uuid[];
  subjects uuid[];
  nexts timestamptz[];
  over uuid[];
BEGIN
  -- Where the clock says what it said before, the row is among those that went. In the order of ids, so that two who move
  -- several cannot wait for each other.
  IF TG_TABLE_NAME = 'handoff' THEN
    SELECT array_agg(org_id ORDER BY about), array_agg(about ORDER BY about), array_agg(next ORDER BY about)
      INTO orgs, subjects, nexts
      FROM (SELECT org_id, handoff_id AS about, least(remind_at, due_at) AS next FROM came
            EXCEPT SELECT org_id, handoff_id, least(remind_at, due_at) FROM went) AS moved;
  ELSIF TG_TABLE_NAME = 'risk' THEN
    SELECT array_agg(org_id ORDER BY about), array_agg(about ORDER BY about), array_agg(next ORDER BY about)
      INTO orgs, subjects, nexts
      FROM (SELECT org_id, risk_id AS about, least(remind_at, due_at) AS next FROM came
            EXCEPT SELECT org_id, risk_id, least(remind_at, due_at) FROM went) AS moved;
  ELSE
    SELECT array_agg(org_id ORDER BY about), array_agg(about ORDER BY about), array_agg(next ORDER BY about)
      INTO orgs, subjects, nexts
      FROM (SELECT org_id, renewal_id AS about, next_at AS next FROM came
            EXCEPT SELECT org_id, renewal_id, next_at FROM went) AS moved;
  END IF;
  IF subjects IS NULL THEN
    RETURN NULL;
  END IF;
  over := ARRAY(SELECT m.about FROM unnest(subjects, nexts) AS m (about, next) WHERE m.next IS NULL);
  IF cardinality(over) > 0 THEN
    DELETE FROM directory.due WHERE org_id = ANY (orgs) AND kind = TG_TABLE_NAME AND subject = ANY (over);
  END IF;
  IF cardinality(over) < cardinality(subjects) THEN
    INSERT INTO directory.due (org_id, kind, subject, due_at)
    SELECT m.org_id, TG_TABLE_NAME, m.about, m.next FROM unnest(orgs, subjects, nexts) AS m (org_id, about, next)
     WHERE m.next IS NOT NULL
    ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tandem.follow_clocks() IS
  'Keeps directory.due in step with the clocks in the rows that a statement updates, in the same transaction.';

DO $$
DECLARE
  clocked text;
BEGIN
  FOREACH clocked IN ARRAY ARRAY['handoff', 'risk', 'renewal'] LOOP
    EXECUTE format('DROP TRIGGER clock_moves ON tandem.%I', clocked);
    EXECUTE format(
      'CREATE TRIGGER clock_moves AFTER UPDATE ON tandem.%I REFERENCING OLD TABLE AS went NEW TABLE AS came '
      'FOR EACH STATEMENT EXECUTE FUNCTION tandem.follow_clocks()', clocked);
  END LOOP;
END $$;
