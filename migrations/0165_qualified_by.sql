-- Who confirmed need, contact and timing, and when: whoever holds the window may be somebody else by now.

ALTER TABLE tandem.handoff ADD COLUMN qualified_by uuid, ADD COLUMN qualified_at timestamptz,
  ADD CONSTRAINT handoff_qualified_by FOREIGN KEY (org_id, qualified_by) REFERENCES tandem.person (org_id, person_id),
  ADD CONSTRAINT handoff_qualified CHECK ((qualified_by IS NULL) = (qualified_at IS NULL));
COMMENT ON COLUMN tandem.handoff.qualified_by IS 'NULL for what was qualified before this was kept.';
