-- A first morning starts the clocks of thousands of cards, and telling directory.due of each by itself was a tenth of what the
-- morning cost. It is told of all that one statement updates together; rows that come or go with a running clock are few.

CREATE FUNCTION tandem.follow_clocks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- As a text of its own: TG_TABLE_NAME is a name, and compared as names are, which no index of directory.due can do.
  clocked text := TG_TABLE_NAME;
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
    DELETE FROM directory.due WHERE org_id = ANY (orgs) AND kind = clocked AND subject = ANY (over);
  END IF;
  IF cardinality(over) < cardinality(subjects) THEN
    INSERT INTO directory.due (org_id, kind, subject, due_at)
    SELECT m.org_id, clocked, m.about, m.next FROM unnest(orgs, subjects, nexts) AS m (org_id, about, next)
     WHERE m.next IS NOT NULL
    ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tandem.follow_clocks() IS
  'Keeps directory.due in step with the clocks in the rows that a statement updates, in the same transaction.';

CREATE OR REPLACE FUNCTION tandem.follow_clock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  clocked text := TG_TABLE_NAME;
  about uuid;
  next timestamptz;
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF TG_TABLE_NAME = 'handoff' THEN about := OLD.handoff_id;
    ELSIF TG_TABLE_NAME = 'risk' THEN about := OLD.risk_id;
    ELSE about := OLD.renewal_id;
    END IF;
    DELETE FROM directory.due WHERE org_id = OLD.org_id AND kind = clocked AND subject = about;
    RETURN NULL;
  END IF;
  IF TG_TABLE_NAME = 'handoff' THEN about := NEW.handoff_id; next := least(NEW.remind_at, NEW.due_at);
  ELSIF TG_TABLE_NAME = 'risk' THEN about := NEW.risk_id; next := least(NEW.remind_at, NEW.due_at);
  ELSE about := NEW.renewal_id; next := NEW.next_at;
  END IF;
  INSERT INTO directory.due (org_id, kind, subject, due_at) VALUES (NEW.org_id, clocked, about, next)
  ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tandem.follow_clock() IS
  'Keeps directory.due in step with the clock in a row that is made or deleted, in the same transaction.';

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
