-- What was qualified, claimed or came back has a clock too. Where it lies for long, its chain ends where it is: the
-- clock is then over, while somebody still has it.

ALTER TABLE tandem.handoff DROP CONSTRAINT handoff_whole_clock,
  ADD CONSTRAINT handoff_whole_clock CHECK ((due_at IS NULL OR clock_since IS NOT NULL) AND (remind_at IS NULL OR due_at IS NOT NULL)),
  ADD CONSTRAINT handoff_no_clock_when_settled CHECK (clock_since IS NULL OR accountable IS NOT NULL);
COMMENT ON COLUMN tandem.handoff.clock_since IS 'When whoever must act was shown it; without due_at its chain is over.';
