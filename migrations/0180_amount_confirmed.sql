-- What a CSM gave as the amount when qualifying a window is no estimate: the nights leave it alone.

ALTER TABLE tandem.handoff ADD COLUMN amount_confirmed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tandem.handoff.amount_confirmed IS 'false for what was qualified before this was kept.';
