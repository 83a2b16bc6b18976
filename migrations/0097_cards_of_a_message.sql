-- Which accounts a message shows is asked at each of its drawings: whether their cards stand in a newer one.
CREATE INDEX message_account_message ON tandem.message_account (org_id, message_id, account_id);
