-- The index of cards alone, which an earlier build had made instead of this one, is taken for the key of a morning while the table
-- is empty. Where it never was there is nothing to do.
CREATE INDEX IF NOT EXISTS digest_item_subject ON tandem.digest_item (org_id, subject);
DROP INDEX IF EXISTS tandem.digest_item_card;
