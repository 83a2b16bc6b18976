-- A click writes one receipt. It is known again by its name alone and swept by its age, so it needs neither an exact index
-- over ages nor a check of an organisation that was looked up a moment before: every click of a company took a lock on
-- that one row.
ALTER TABLE tandem.inbound_receipt DROP CONSTRAINT inbound_receipt_org_id_fkey;
DROP INDEX tandem.inbound_receipt_age;
CREATE INDEX inbound_receipt_age ON tandem.inbound_receipt USING brin (org_id, received_at);
