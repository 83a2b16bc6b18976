-- When a subject was last a card is asked; when it was a line is not, and lines are two thirds of a morning's items.
DROP INDEX tandem.digest_item_subject;
CREATE INDEX digest_item_subject ON tandem.digest_item (org_id, subject) WHERE group_no IS NULL;
