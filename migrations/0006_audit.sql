-- The audit trail: append-only, chained per organisation after commit.

CREATE TABLE tandem.audit_event (
  org_id      uuid NOT NULL,
  event_id    uuid NOT NULL,
  at          timestamptz NOT NULL,
  actor       text NOT NULL,
  event       text NOT NULL,
  subject     text NOT NULL,
  data        jsonb NOT NULL DEFAULT '{}',
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (org_id, event_id)
);
CREATE INDEX audit_event_recorded ON tandem.audit_event (org_id, recorded_at);
CREATE INDEX audit_event_subject ON tandem.audit_event (org_id, subject, recorded_at);
COMMENT ON TABLE tandem.audit_event IS 'Every state change, written in its own transaction. Pseudonymous ids only.';
COMMENT ON COLUMN tandem.audit_event.at IS 'Business time.';
COMMENT ON COLUMN tandem.audit_event.actor IS 'person:…, key:…, or system.';

CREATE TABLE tandem.audit_seal (
  org_id   uuid NOT NULL,
  seq      bigint NOT NULL CHECK (seq > 0),
  event_id uuid NOT NULL,
  hash     bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (org_id, seq),
  UNIQUE (org_id, event_id),
  FOREIGN KEY (org_id, event_id) REFERENCES tandem.audit_event (org_id, event_id)
);
COMMENT ON TABLE tandem.audit_seal IS
  'The hash chain over committed events, made by the sealer: a chain head locked inside each click cost four clicks of five.';

CREATE FUNCTION tandem.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tandem.audit_event
  FOR EACH ROW EXECUTE FUNCTION tandem.refuse_change();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON tandem.audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION tandem.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tandem.audit_seal
  FOR EACH ROW EXECUTE FUNCTION tandem.refuse_change();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON tandem.audit_seal
  FOR EACH STATEMENT EXECUTE FUNCTION tandem.refuse_change();

CALL tandem.isolate('tandem.audit_event', 'SELECT, INSERT');
CALL tandem.isolate('tandem.audit_seal', 'SELECT, INSERT');
