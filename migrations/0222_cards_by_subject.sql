-- When a subject was last a card is asked; when it was a line is not, and lines are two thirds of a morning's items. The old
-- index goes last, so that mornings can be read while the new one is made.
CREATE INDEX digest_item_card ON tandem.digest_item (org_id, subject) WHERE group_no IS NULL;
DROP INDEX tandem.digest_item_subject;
