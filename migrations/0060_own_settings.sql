-- What people set for themselves, over what was imported of them.

CREATE TABLE tandem.person_setting (
  org_id              uuid NOT NULL,
  person_id           uuid NOT NULL,
  digest_time         time,
  workdays            smallint CHECK (workdays BETWEEN 1 AND 127),
  delegate_own        boolean NOT NULL DEFAULT false,
  delegate_id         uuid,
  away_own            boolean NOT NULL DEFAULT false,
  out_of_office_until date,
  attention_budget    smallint CHECK (attention_budget BETWEEN 1 AND 20),
  empty_mornings      boolean,
  changed_at          timestamptz NOT NULL,
  PRIMARY KEY (org_id, person_id),
  FOREIGN KEY (org_id, person_id) REFERENCES tandem.person (org_id, person_id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, delegate_id) REFERENCES tandem.person (org_id, person_id) ON DELETE SET NULL (delegate_id)
);
COMMENT ON TABLE tandem.person_setting IS
  'What a person chose in the settings dialog. NULL means as imported, so that an import cannot undo a person''s own choice and still reaches whoever made none.';
COMMENT ON COLUMN tandem.person_setting.digest_time IS 'Local time of the morning message.';
COMMENT ON COLUMN tandem.person_setting.workdays IS 'Bits, Monday is 1.';
COMMENT ON COLUMN tandem.person_setting.delegate_own IS 'Whether delegate_id was chosen, also where it says nobody.';
COMMENT ON COLUMN tandem.person_setting.away_own IS 'Whether out_of_office_until was chosen, also where it says not away.';
COMMENT ON COLUMN tandem.person_setting.attention_budget IS 'Most cards in one morning; NULL means the policy''s.';
COMMENT ON COLUMN tandem.person_setting.empty_mornings IS 'False: no message on a morning with nothing to decide. NULL means true.';

CALL tandem.isolate('tandem.person_setting');
