-- What a night writes most of: causes as JSON. As text they go in without being taken apart and put together again
-- (jsonb was half of a first night's time); what the next night compares with stands beside them.

ALTER TABLE tandem.diagnosis_detail
  ADD COLUMN floors jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN windows jsonb NOT NULL DEFAULT '[]';
-- USING rather than UPDATE: row level security is forced on the owner too.
ALTER TABLE tandem.diagnosis_detail
  ALTER COLUMN floors TYPE jsonb USING jsonb_path_query_array(body, '$.causes[*] ? (@.floor == true).rule'),
  ALTER COLUMN windows TYPE jsonb USING coalesce(body->'windows', '[]'),
  ALTER COLUMN body TYPE text USING body::text;
DO $$
BEGIN
  ALTER TABLE tandem.diagnosis_detail ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  -- A server that was built without lz4 keeps its own compression, which takes ten times as long.
  NULL;
END $$;
COMMENT ON COLUMN tandem.diagnosis_detail.body IS 'store::detail::Detail as JSON.';
COMMENT ON COLUMN tandem.diagnosis_detail.floors IS 'The rules of decisions that stood, as in body: what the next night compares with.';
COMMENT ON COLUMN tandem.diagnosis_detail.windows IS 'The windows, as in body: the next night keeps their dates.';
