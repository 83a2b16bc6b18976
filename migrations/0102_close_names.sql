-- A mistyped name: close names first, and those that are only somewhat alike where there is no close one. Where companies
-- share their words, thousands are somewhat alike, and each had to be read and compared.

-- Loads the extension, so that this session knows the setting that the function is bound to.
DO $$ BEGIN PERFORM public.similarity('', ''); END $$;

CREATE OR REPLACE FUNCTION tandem.similar_accounts(wanted text, most integer) RETURNS TABLE (account_id text, likeness real)
  LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public
  SET pg_trgm.similarity_threshold = 0.34
  AS $$
#variable_conflict use_column
DECLARE
  -- domain::likeness::CLOSE_FROM and ALIKE_FROM.
  threshold text;
BEGIN
  FOREACH threshold IN ARRAY ARRAY['0.34', '0.25'] LOOP
    -- Until the function ends, because of SET above.
    PERFORM set_config('pg_trgm.similarity_threshold', threshold, true);
    RETURN QUERY
      SELECT a.account_id, greatest(public.similarity(a.name_key, wanted), public.word_similarity(wanted, a.name_key))
        FROM tandem.account a
       WHERE a.org_id = nullif(current_setting('tandem.org_id', true), '')::uuid
         AND a.name_key OPERATOR(public.%) wanted
       ORDER BY 2 DESC, a.account_id
       LIMIT least(most, 25);
    EXIT WHEN FOUND;
  END LOOP;
END $$;
