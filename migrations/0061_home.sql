-- Home pages: one message a person and workspace, redrawn like any other.

CREATE UNIQUE INDEX message_home ON tandem.message (org_id, platform, workspace_id, person_id) WHERE content ? 'home';
COMMENT ON INDEX tandem.message_home IS 'A person has one home page in a workspace; it is published over itself.';
