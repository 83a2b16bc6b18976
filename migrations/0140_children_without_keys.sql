-- A morning writes some twenty items and as many shown accounts a person, each in the transaction of its digest or
-- message. To look up the parent for every one of them was a tenth of all that a morning cost Postgres.

ALTER TABLE tandem.digest_item DROP CONSTRAINT digest_item_org_id_digest_id_fkey;
ALTER TABLE tandem.message_account DROP CONSTRAINT message_account_org_id_message_id_fkey;
COMMENT ON TABLE tandem.digest_item IS
  'Cards (group_no NULL) and one-line items of the grouped rest, in order. No foreign key: written with their digest in one transaction, and deleted before it.';
COMMENT ON TABLE tandem.message_account IS
  'Which messages show an account, and so are redrawn when something about it changes. No foreign key: written with their message in one transaction; whoever deletes a message that shows accounts deletes these too.';
