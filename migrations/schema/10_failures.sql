-- Failed generations: filters, pages by key, counts for charts, search by words, reports, pruning.
--
-- Functions without `security definer` run under the caller's row-level security, so that "matching" always means: of
-- the caller's own rows.

-- The words of a failure to search by. A tsvector holds at most 1 MB: the text is cut far below that, so that no
-- failure is refused because of its index.
create function public.make_failure_words(details text, message text, reply text) returns tsvector
language sql immutable parallel safe set search_path = ''
as $$
    select to_tsvector('pg_catalog.simple'::regconfig,
        left(coalesce(details, '') || ' ' || coalesce(message, '') || ' ' || coalesce(reply, ''), 100000))
$$;

create index idx_failed_generations_words on public.failed_generations
    using gin (public.make_failure_words(truncation_details, error_message, response_content));
-- Without this, each ANALYZE would read the replies of its whole sample.
alter index public.idx_failed_generations_words alter column 1 set statistics 0;

-- The ids of the caller's failures that have these words. A definer's function, because under row-level security a
-- search by words may not use its index. It returns only ids of the caller's own rows, and whoever uses them is under
-- row-level security again.
create function public.find_failures_by_words(search text) returns setof uuid
language sql stable security definer rows 1000 set search_path = ''
as $$
    select f.id from public.failed_generations f
    where f.created_by = (select auth.uid())
        and public.make_failure_words(f.truncation_details, f.error_message, f.response_content)
            operator(pg_catalog.@@) public.make_word_query(search)
$$;

-- The caller's failed generations that match. `filters` holds any of failure_type, stop_reason ('none': no reply),
-- truncation_pattern ('none': no pattern), fingerprint, turn_index, limit_share_bin (share of max_tokens used, in bins
-- of 5 %; 20: all of it), batch_id, persona_id, emotional_arc_id, training_topic_id, template_id, topic_category,
-- conversation_category (of an imported failure that of its arc), model (of an imported failure its own),
-- structured_outputs, max_tokens, effort ('none': model default), prompt_from (included), prompt_to (not), date_from
-- (included), date_to (not) and text (words, or their beginnings). Imported failures are left out unless
-- asks_for_imports. Without a SET clause and with the caller's rights,
-- so that the planner inlines it.
create function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable
as $$
    select f.* from public.failed_generations f
    where public.require_filters(filters)
        and (not f.imported or (select public.asks_for_imports(filters)))
        and public.fits_kind(filters, f.failure_type, f.stop_reason, f.truncation_pattern, f.fingerprint)
        and (filters ->> 'turn_index' is null or f.turn_index = (filters ->> 'turn_index')::integer)
        and (filters ->> 'limit_share_bin' is null
            or case when f.output_tokens < f.max_tokens then floor((f.output_tokens::real / f.max_tokens)::real::numeric * 20)
                when f.output_tokens >= f.max_tokens then 20 end = (filters ->> 'limit_share_bin')::integer)
        and (filters ->> 'batch_id' is null or f.run_id = (filters ->> 'batch_id')::uuid)
        and public.fits_settings(filters, f.persona_id, f.emotional_arc_id, f.training_topic_id, f.template_id,
            f.structured_outputs_enabled, f.max_tokens, f.effort, nullif(f.prompt_length, 0))
        and (filters ->> 'topic_category' is null or f.training_topic_id in (
            select t.id from public.training_topics t where t.category = filters ->> 'topic_category'))
        and (filters ->> 'conversation_category' is null or case when f.imported
            then f.emotional_arc_id in (
                select e.id from public.emotional_arcs e where e.conversation_category = filters ->> 'conversation_category')
            else f.run_id in (
                select b.id from public.batches b where b.conversation_category = filters ->> 'conversation_category') end)
        and (filters ->> 'model' is null
            or (not f.imported and f.run_id in (select b.id from public.batches b where b.model = filters ->> 'model'))
            or ((f.imported or f.run_id is null) and f.model = filters ->> 'model'))
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)))
$$;

-- One page of failures, always newest first: {"rows", "newer"}, `newer` being how many matching failures stand before
-- the first row. direction 'older': what follows the row that the cursor names (no cursor: the first page); 'newer':
-- what precedes it. Keys are chosen in the index alone; only the rows of the page are read.
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
            f.template_id, f.raw_file_path, f.simulated, f.created_at,
            coalesce((select p.name from public.personas p where p.id = f.persona_id),
                (select n.name from public.imported_names n where n.id = f.persona_id)) as persona,
            coalesce((select e.name from public.emotional_arcs e where e.id = f.emotional_arc_id),
                (select n.name from public.imported_names n where n.id = f.emotional_arc_id)) as arc,
            coalesce((select t.name from public.training_topics t where t.id = f.training_topic_id),
                (select n.name from public.imported_names n where n.id = f.training_topic_id)) as topic
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

-- What stands before and after a failure with the filters: {"newer_id", "older_id", "newer", "total"}.
create function public.find_failure_place(filters jsonb, failure_id uuid) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    moment timestamptz;
begin
    select f.created_at into moment from public.failed_generations f where f.id = failure_id;
    return jsonb_build_object(
        'newer_id', (select f.id from public.matching_failures(filters) f
            where (f.created_at, f.id) > (moment, failure_id) order by f.created_at, f.id limit 1),
        'older_id', (select f.id from public.matching_failures(filters) f
            where (f.created_at, f.id) < (moment, failure_id) order by f.created_at desc, f.id desc limit 1),
        'newer', (select count(*) from public.matching_failures(filters) f
            where (f.created_at, f.id) > (moment, failure_id)),
        'total', (select count(*) from public.matching_failures(filters) f)
    );
end
$$;

-- Failures for the charts: {"total", "by_type", "by_stop_reason", "by_pattern"}; 'none' stands for null. The total is
-- under all filters; each of the three counts leaves its own filter out, so that a chart shows what else could be
-- chosen. What has the words of a text is looked up first: as a condition among others it would be evaluated for
-- every failure.
create function public.count_failed_generations(filters jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    others constant jsonb := filters - array['failure_type', 'stop_reason', 'truncation_pattern', 'text'];
    found constant uuid[] := case when filters ->> 'text' is not null
        then array(select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)) end;
begin
    return (
        with grouped as materialized (
            select f.failure_type, coalesce(f.stop_reason, 'none') as stop_reason,
                coalesce(f.truncation_pattern, 'none') as truncation_pattern, count(*) as failures
            from public.matching_failures(others) f
            where found is null or f.id = any (found)
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

-- What lists of results can be filtered by, with names for readers; the newest 200 batches. Reads small tables only.
create function public.list_result_options() returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'personas', coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
            from (select s.id, s.name from public.personas s
                union all select * from public.list_imported_names('persona')) p), '[]'),
        'arcs', coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name) order by a.name)
            from (select s.id, s.name from public.emotional_arcs s
                union all select * from public.list_imported_names('arc')) a), '[]'),
        'topics', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name)
            from (select s.id, s.name from public.training_topics s
                union all select * from public.list_imported_names('topic')) t), '[]'),
        'templates', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name)
            order by t.name) from (select s.id, s.name || ' v' || s.version as name from public.prompt_templates s
                union all select * from public.list_imported_names('template')) t), '[]'),
        'batches', coalesce((select jsonb_agg(jsonb_build_object('id', n.id, 'name', n.name)) from (
            select b.id, b.name from public.batches b where b.created_by = (select auth.uid())
            order by b.created_at desc limit 200) n), '[]'),
        'models', coalesce((select jsonb_agg(m.model order by m.model) from (
            select b.model from public.batches b where b.created_by = (select auth.uid()) and not b.imported
            union select c.model from public.outcome_combinations c where c.created_by = (select auth.uid())) m), '[]')
    )
$$;

-- Everything that a report says about one failure: the row, its attempts in order, the names of its scaffolding, and
-- the batch's name.
create function public.describe_failure(failure_id uuid) returns jsonb
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

-- The failures whose report is not in the bucket yet, oldest first.
create function public.list_missing_reports(max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(m.id), '[]') from (
        select f.id from public.failed_generations f where f.raw_file_path is null order by f.created_at limit max_rows
    ) m
$$;

-- Notes where in the bucket the report of a failure is.
create function public.set_report_path(failure_id uuid, path text) returns void
language sql security definer set search_path = ''
as $$
    update public.failed_generations f set raw_file_path = path where f.id = failure_id
$$;

-- Failures older than a moment, for pruning: their files are removed by the caller, and only then their rows. What
-- was imported lately is not old, whenever it was made.
create function public.list_old_failures(older_than timestamptz, max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(old)), '[]') from (
        select f.id, f.raw_file_path from public.failed_generations f
        where f.created_at < older_than and (not f.imported or exists (
            select 1 from public.batches b where b.id = f.run_id and b.created_at < older_than
        ))
        order by f.created_at limit max_rows
    ) old
$$;

-- Deletes failures whose files are gone; returns how many.
create function public.delete_failures(failure_ids uuid[]) returns integer
language sql security definer set search_path = ''
as $$
    with deleted as (delete from public.failed_generations f where f.id = any (failure_ids) returning 1)
    select count(*)::integer from deleted
$$;

-- The failures that have no fingerprint yet, oldest first, with what one is made of.
create function public.list_unmarked_failures(max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(u)), '[]') from (
        select f.id, f.failure_type, f.truncation_pattern as pattern, f.stop_reason, f.response_content as reply_text,
            f.turn_index, coalesce(f.error_message, f.truncation_details) as message
        from public.failed_generations f where f.fingerprint is null order by f.created_at limit max_rows
    ) u
$$;

-- Gives failures their fingerprints ([{"id", "fingerprint"}]) and notes their outcomes again; returns how many were
-- marked.
create function public.mark_failures(marks jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    item_ids uuid[];
begin
    with marked as (
        update public.failed_generations f set fingerprint = m.fingerprint
        from jsonb_to_recordset(marks) as m(id uuid, fingerprint text)
        where f.id = m.id
        returning f.batch_item_id
    )
    select array_agg(m.batch_item_id) filter (where m.batch_item_id is not null) into item_ids from marked m;
    perform public.note_outcomes(item_ids);
    return coalesce(cardinality(item_ids), 0);
end
$$;
