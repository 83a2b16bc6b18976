-- Clocks of handoffs, risks and renewals: their state stands in the row, and what is owed when stands in directory.due.

ALTER TABLE tandem.handoff ADD COLUMN remind_at timestamptz, ADD COLUMN stands_in_for uuid,
  ADD CONSTRAINT handoff_stands_in_for FOREIGN KEY (org_id, stands_in_for) REFERENCES tandem.person (org_id, person_id),
  ADD CONSTRAINT handoff_whole_clock CHECK ((clock_since IS NULL) = (due_at IS NULL) AND (remind_at IS NULL OR due_at IS NOT NULL)),
  ADD CONSTRAINT handoff_no_clock_while_withheld CHECK (withheld_by IS NULL OR due_at IS NULL),
  ADD CONSTRAINT handoff_other_than_oneself CHECK (stands_in_for IS DISTINCT FROM accountable OR stands_in_for IS NULL);
COMMENT ON COLUMN tandem.handoff.remind_at IS 'When its one reminder is owed; NULL once it was given.';
COMMENT ON COLUMN tandem.handoff.stands_in_for IS 'Who is away and gets it back on their return.';
DROP INDEX tandem.handoff_clock;
CREATE INDEX handoff_stood_in_for ON tandem.handoff (org_id, stands_in_for) WHERE stands_in_for IS NOT NULL;

ALTER TABLE tandem.risk ADD COLUMN clock_since timestamptz, ADD COLUMN remind_at timestamptz, ADD COLUMN due_at timestamptz,
  ADD CONSTRAINT risk_whole_clock CHECK ((due_at IS NULL OR clock_since IS NOT NULL) AND (remind_at IS NULL OR due_at IS NOT NULL)),
  ADD CONSTRAINT risk_no_clock_when_settled CHECK (clock_since IS NULL OR state IN ('open', 'acknowledged'));
COMMENT ON COLUMN tandem.risk.clock_since IS 'When it was shown or acknowledged; without due_at its chain is over.';

ALTER TABLE tandem.renewal ADD COLUMN next_at timestamptz,
  ADD CONSTRAINT renewal_no_clock_when_ended CHECK (next_at IS NULL OR owner_id IS NOT NULL);
COMMENT ON COLUMN tandem.renewal.next_at IS 'When its clock owes something next: a reminder, or the end of its time.';

-- What is owed when, across organisations, is found by one index. A trigger keeps it, so that no writer can forget.
ALTER TABLE directory.due DROP CONSTRAINT due_kind_check;
ALTER TABLE directory.due ADD CONSTRAINT due_kind_check
  CHECK (kind IN ('night', 'digest', 'handoff', 'risk', 'renewal', 'watch'));
COMMENT ON COLUMN directory.due.subject IS
  'The organisation for a night and for the watch over it, the person for a digest, the handoff, risk or renewal for its clock.';

CREATE FUNCTION tandem.follow_clock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  org uuid;
  about uuid;
  next timestamptz;
BEGIN
  IF TG_TABLE_NAME = 'handoff' THEN
    IF TG_OP = 'DELETE' THEN org := OLD.org_id; about := OLD.handoff_id;
    ELSE org := NEW.org_id; about := NEW.handoff_id; next := least(NEW.remind_at, NEW.due_at);
    END IF;
  ELSIF TG_TABLE_NAME = 'risk' THEN
    IF TG_OP = 'DELETE' THEN org := OLD.org_id; about := OLD.risk_id;
    ELSE org := NEW.org_id; about := NEW.risk_id; next := least(NEW.remind_at, NEW.due_at);
    END IF;
  ELSE
    IF TG_OP = 'DELETE' THEN org := OLD.org_id; about := OLD.renewal_id;
    ELSE org := NEW.org_id; about := NEW.renewal_id; next := NEW.next_at;
    END IF;
  END IF;
  IF next IS NULL THEN
    DELETE FROM directory.due WHERE org_id = org AND kind = TG_TABLE_NAME AND subject = about;
  ELSE
    INSERT INTO directory.due (org_id, kind, subject, due_at) VALUES (org, TG_TABLE_NAME, about, next)
    ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tandem.follow_clock() IS 'Keeps directory.due in step with the clock in the row, in the same transaction.';

CREATE TRIGGER clock_starts AFTER INSERT ON tandem.handoff FOR EACH ROW
  WHEN (NEW.due_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_moves AFTER UPDATE ON tandem.handoff FOR EACH ROW
  WHEN (least(NEW.remind_at, NEW.due_at) IS DISTINCT FROM least(OLD.remind_at, OLD.due_at)) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_goes AFTER DELETE ON tandem.handoff FOR EACH ROW
  WHEN (OLD.due_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_starts AFTER INSERT ON tandem.risk FOR EACH ROW
  WHEN (NEW.due_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_moves AFTER UPDATE ON tandem.risk FOR EACH ROW
  WHEN (least(NEW.remind_at, NEW.due_at) IS DISTINCT FROM least(OLD.remind_at, OLD.due_at)) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_goes AFTER DELETE ON tandem.risk FOR EACH ROW
  WHEN (OLD.due_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_starts AFTER INSERT ON tandem.renewal FOR EACH ROW
  WHEN (NEW.next_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_moves AFTER UPDATE ON tandem.renewal FOR EACH ROW
  WHEN (NEW.next_at IS DISTINCT FROM OLD.next_at) EXECUTE FUNCTION tandem.follow_clock();
CREATE TRIGGER clock_goes AFTER DELETE ON tandem.renewal FOR EACH ROW
  WHEN (OLD.next_at IS NOT NULL) EXECUTE FUNCTION tandem.follow_clock();

-- Clocks that run already.
INSERT INTO directory.due (org_id, kind, subject, due_at)
SELECT org_id, 'handoff', handoff_id, due_at FROM tandem.handoff WHERE due_at IS NOT NULL;
-- The watch over each organisation: every one has it from its making on.
INSERT INTO directory.due (org_id, kind, subject, due_at)
SELECT org_id, 'watch', org_id, now() FROM directory.organisation;

CREATE TABLE tandem.absence (
  org_id      uuid NOT NULL,
  person_id   uuid NOT NULL,
  stand_in_id uuid NOT NULL,
  until       date NOT NULL,
  since       timestamptz NOT NULL,
  PRIMARY KEY (org_id, person_id),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, stand_in_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE,
  CHECK (person_id <> stand_in_id)
);
COMMENT ON TABLE tandem.absence IS 'Who stands in for whom now. Its row begins and ends with the absence, so that both are told of each once.';
COMMENT ON COLUMN tandem.absence.until IS 'The last day away, as it was when it was told.';

CREATE TABLE tandem.watch (
  org_id   uuid PRIMARY KEY REFERENCES directory.organisation ON DELETE CASCADE,
  trouble  text[] NOT NULL,
  told_at  timestamptz NOT NULL
);
COMMENT ON TABLE tandem.watch IS 'What is owed and late, as the admins were last told; no row while all is well.';

CALL tandem.isolate('tandem.absence');
CALL tandem.isolate('tandem.watch');
