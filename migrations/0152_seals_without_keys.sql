-- A seal is written of an event that was read in the same transaction, and events are never deleted under their seals:
-- triggers refuse it to everybody but the erasure of a whole organisation, which deletes the seals first. To look each event
-- up once more and lock it was two thirds of what writing a seal cost; `audit verify` tells of an event that is missing.

ALTER TABLE tandem.audit_seal DROP CONSTRAINT audit_seal_org_id_event_id_fkey;
COMMENT ON COLUMN tandem.audit_seal.event_id IS
  'No foreign key: sealed in the transaction that read the event, which nobody deletes.';
