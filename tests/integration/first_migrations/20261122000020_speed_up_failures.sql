-- Failed generations at 100,000 rows: filters, pages by key in both directions, counts for charts, search by words.
--
-- `filters` is as in 20261122000008, except that `text` means words: every word of it, or the beginning of one, must be in the
-- details, the error message or the reply.
--
-- matching_failures has no SET clause and is not a security definer, so the planner puts its body in place. Its callers ask
-- for custom plans, so that the filters are constants and those that are not given cost nothing.

drop function public.list_failed_generations(jsonb, integer, timestamptz, uuid);
drop function public.count_failed_generations(jsonb);
drop function public.matching_failures(jsonb);

-- Everything that filters look at is in the index: counting 100,000 failures does not touch the table.
create index idx_failed_generations_filters on public.failed_generations (created_by, created_at desc, id desc)
    include (failure_type, stop_reason, truncation_pattern, run_id, persona_id, emotional_arc_id, training_topic_id,
        template_id, model);
drop index public.idx_failed_generations_created_by;

-- A tsvector holds at most 1 MB: the text is cut far below that, so that no failure is refused because of its index.
create function public.make_failure_words(details text, message text, reply text) returns tsvector
language sql immutable parallel safe
as $$
    select to_tsvector('pg_catalog.simple'::regconfig,
        left(coalesce(details, '') || ' ' || coalesce(message, '') || ' ' || coalesce(reply, ''), 100000))
$$;

create index idx_failed_generations_words on public.failed_generations
    using gin (public.make_failure_words(truncation_details, error_message, response_content));
-- Without this, each ANALYZE would read the replies of its whole sample.
alter index public.idx_failed_generations_words alter column 1 set statistics 0;

-- All words of a text, each as the beginning of one; null where it has no word.
create function public.make_word_query(search text) returns tsquery
language sql immutable parallel safe
as $$
    select string_agg('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
    from unnest(to_tsvector('pg_catalog.simple'::regconfig, left(search, 1000))) as w(lexeme, positions, weights)
$$;

-- The caller's failures that have these words. A definer's function, because under row-level security a search by words may not
-- use an index; it returns ids only, of the caller's own rows, and whoever uses them is under row-level security again.
create function public.find_failures_by_words(search text) returns setof uuid
language sql stable security definer rows 1000 set search_path = ''
as $$
    select f.id from public.failed_generations f
    where f.created_by = (select auth.uid())
        and public.make_failure_words(f.truncation_details, f.error_message, f.response_content)
            operator(pg_catalog.@@) public.make_word_query(search)
$$;

create function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable
as $$
    select f.* from public.failed_generations f
    where (filters ->> 'failure_type' is null or f.failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(f.stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null
            or coalesce(f.truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'batch_id' is null or f.run_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'persona_id' is null or f.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or f.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or f.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or f.template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'model' is null or f.model = filters ->> 'model')
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)))
$$;

-- One page, always newest first: {"rows", "newer"}, `newer` being how many matching failures stand before the first row.
-- direction 'older': what follows the row that the cursor names (no cursor: the first page); 'newer': what precedes it.
-- Keys are chosen in the index alone; only the rows of the page are read.
create function public.list_failed_generations(
    filters jsonb, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null,
    direction text default 'older'
) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    most integer := least(greatest(page_size, 1), 201);
    ids uuid[];
    rows jsonb;
    newer bigint := 0;
begin
    if cursor_id is null then
        ids := array(select f.id from public.matching_failures(filters) f
            order by f.created_at desc, f.id desc limit most);
    elsif direction = 'newer' then
        ids := array(select f.id from public.matching_failures(filters) f
            where (f.created_at, f.id) > (cursor_created_at, cursor_id)
            order by f.created_at, f.id limit most);
    else
        ids := array(select f.id from public.matching_failures(filters) f
            where (f.created_at, f.id) < (cursor_created_at, cursor_id)
            order by f.created_at desc, f.id desc limit most);
    end if;
    select coalesce(jsonb_agg(to_jsonb(page)), '[]') into rows from (
        select f.id, f.run_id as batch_id, b.name as batch_name, f.failure_type, f.truncation_pattern, f.truncation_details,
            f.stop_reason, f.error_message, f.turn_index, f.confidence, f.model, f.max_tokens, f.input_tokens,
            f.output_tokens, f.cost_usd, f.attempt_count, f.persona_id, f.emotional_arc_id, f.training_topic_id,
            f.template_id, f.raw_file_path, f.simulated, f.created_at
        from public.failed_generations f left join public.batches b on b.id = f.run_id
        where f.id = any (ids)
        order by f.created_at desc, f.id desc
    ) page;
    if cursor_id is not null and rows <> '[]' then
        select count(*) into newer from public.matching_failures(filters) f
        where (f.created_at, f.id) > ((rows -> 0 ->> 'created_at')::timestamptz, (rows -> 0 ->> 'id')::uuid);
    end if;
    return jsonb_build_object('rows', rows, 'newer', newer);
end
$$;

-- {"total", "by_type", "by_stop_reason", "by_pattern"}; 'none' stands for null. The total is under all filters; each of the
-- three counts leaves its own filter out, so that a chart shows what else could be chosen.
create function public.count_failed_generations(filters jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
begin
    return (
        with grouped as materialized (
            select f.failure_type, coalesce(f.stop_reason, 'none') as stop_reason,
                coalesce(f.truncation_pattern, 'none') as truncation_pattern, count(*) as failures
            from public.matching_failures(filters - array['failure_type', 'stop_reason', 'truncation_pattern']) f
            group by 1, 2, 3
        ), judged as (
            select g.failure_type, g.stop_reason, g.truncation_pattern, g.failures,
                coalesce(g.failure_type = filters ->> 'failure_type', true) as has_type,
                coalesce(g.stop_reason = filters ->> 'stop_reason', true) as has_stop_reason,
                coalesce(g.truncation_pattern = filters ->> 'truncation_pattern', true) as has_pattern
            from grouped g
        )
        select jsonb_build_object(
            'total', coalesce((select sum(j.failures) from judged j
                where j.has_type and j.has_stop_reason and j.has_pattern), 0),
            'by_type', coalesce((select jsonb_object_agg(t.failure_type, t.n) from (
                select j.failure_type, sum(j.failures) as n from judged j
                where j.has_stop_reason and j.has_pattern group by 1) t), '{}'),
            'by_stop_reason', coalesce((select jsonb_object_agg(s.stop_reason, s.n) from (
                select j.stop_reason, sum(j.failures) as n from judged j
                where j.has_type and j.has_pattern group by 1) s), '{}'),
            'by_pattern', coalesce((select jsonb_object_agg(p.truncation_pattern, p.n) from (
                select j.truncation_pattern, sum(j.failures) as n from judged j
                where j.has_type and j.has_stop_reason group by 1) p), '{}')
        )
    );
end
$$;

-- As before, and the names that readers know: of the scaffolding and of the batch.
create or replace function public.describe_failure(failure_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'failure', to_jsonb(f),
        'attempts', coalesce((
            select jsonb_agg(to_jsonb(a) order by a.attempt_number) from public.generation_attempts a
            where a.batch_item_id = f.batch_item_id
        ), '[]'),
        'scaffolding', jsonb_build_object(
            'persona_key', b.snapshot -> 'personas' -> f.persona_id::text ->> 'persona_key',
            'persona_name', b.snapshot -> 'personas' -> f.persona_id::text ->> 'name',
            'arc_key', b.snapshot -> 'arcs' -> f.emotional_arc_id::text ->> 'arc_key',
            'arc_name', b.snapshot -> 'arcs' -> f.emotional_arc_id::text ->> 'name',
            'topic_key', b.snapshot -> 'topics' -> f.training_topic_id::text ->> 'topic_key',
            'topic_name', b.snapshot -> 'topics' -> f.training_topic_id::text ->> 'name',
            'template_key', b.snapshot -> 'templates' -> f.template_id::text ->> 'template_key',
            'template_name', b.snapshot -> 'templates' -> f.template_id::text ->> 'name',
            'template_version', b.snapshot -> 'templates' -> f.template_id::text -> 'version',
            'conversation_category', b.conversation_category,
            'batch_name', b.name
        )
    )
    from public.failed_generations f left join public.batches b on b.id = f.run_id
    where f.id = failure_id
$$;

-- What lists of results can be filtered by, as the reader knows it; the newest 200 batches. Small tables only.
create function public.list_result_options() returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'personas', coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
            from public.personas p), '[]'),
        'arcs', coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name) order by a.name)
            from public.emotional_arcs a), '[]'),
        'topics', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name)
            from public.training_topics t), '[]'),
        'templates', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name || ' v' || t.version)
            order by t.name, t.version) from public.prompt_templates t), '[]'),
        'batches', coalesce((select jsonb_agg(jsonb_build_object('id', n.id, 'name', n.name)) from (
            select b.id, b.name from public.batches b where b.created_by = (select auth.uid())
            order by b.created_at desc limit 200) n), '[]'),
        'models', coalesce((select jsonb_agg(m.model order by m.model) from (
            select distinct b.model from public.batches b where b.created_by = (select auth.uid())) m), '[]')
    )
$$;

revoke execute on function
    public.make_failure_words(text, text, text), public.make_word_query(text), public.find_failures_by_words(text),
    public.matching_failures(jsonb), public.list_failed_generations(jsonb, integer, timestamptz, uuid, text),
    public.count_failed_generations(jsonb), public.list_result_options()
    from public, anon, authenticated;
grant execute on function
    public.make_failure_words(text, text, text), public.make_word_query(text), public.find_failures_by_words(text),
    public.matching_failures(jsonb), public.list_failed_generations(jsonb, integer, timestamptz, uuid, text),
    public.count_failed_generations(jsonb), public.list_result_options()
    to authenticated, service_role;
