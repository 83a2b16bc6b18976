-- A morning asks when each of its cards was last shown. By the mornings a person has had, that is asked of more rows every
-- day; by subject, of the few mornings in which it stood. Lines of the grouped rest are most of a morning and no cards: they
-- are in no index but their key.
CREATE INDEX digest_item_card ON tandem.digest_item (org_id, subject) WHERE group_no IS NULL;
DROP INDEX tandem.digest_item_subject;
