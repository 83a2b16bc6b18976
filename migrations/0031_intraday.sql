-- Decision signals that come by day reach people within minutes.

CREATE TABLE tandem.fresh_decision (
  org_id     uuid NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  since      timestamptz NOT NULL,
  PRIMARY KEY (org_id, account_id),
  FOREIGN KEY (org_id, account_id) REFERENCES tandem.account (org_id, account_id) ON DELETE CASCADE
);
COMMENT ON TABLE tandem.fresh_decision IS
  'Accounts that got a row which may be a decision (notice served, say) and were not looked at since. The look decides.';
CALL tandem.isolate('tandem.fresh_decision');

ALTER TABLE directory.due DROP CONSTRAINT due_kind_check;
ALTER TABLE directory.due ADD CONSTRAINT due_kind_check
  CHECK (kind IN ('night', 'digest', 'handoff', 'risk', 'renewal', 'watch', 'decisions'));
COMMENT ON COLUMN directory.due.subject IS
  'The organisation for a night, the watch over it and its fresh decisions, the person for a digest, the handoff, risk or renewal for its clock.';

-- What somebody was last shown: their newest messages first.
CREATE INDEX message_person ON tandem.message (org_id, person_id, created_at DESC) WHERE person_id IS NOT NULL;
