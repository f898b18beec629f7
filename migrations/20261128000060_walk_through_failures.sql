-- Failures say what they were made from, and what stands before and after each with the filters.

-- One page of failures, always newest first: {"rows", "newer"}, `newer` being how many matching failures stand before
-- the first row. direction 'older': what follows the row that the cursor names (no cursor: the first page); 'newer':
-- what precedes it. Keys are chosen in the index alone; only the rows of the page are read.
create or replace function public.list_failed_generations(
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
create or replace function public.find_failure_place(filters jsonb, failure_id uuid) returns jsonb
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

revoke execute on function public.find_failure_place(jsonb, uuid) from public, anon, authenticated;
grant execute on function public.find_failure_place(jsonb, uuid) to authenticated, service_role;
