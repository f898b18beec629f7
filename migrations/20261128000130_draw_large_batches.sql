-- A look at a large batch reads its curve, its stop reasons and its counts from a few rows, kept by triggers.

-- The trend of a batch that is not large, from its items.
create function public.group_judged_items(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    with judged as (
        select i.finished_at, i.status, row_number() over (order by i.finished_at, i.position) - 1 as number,
            count(*) over () as total
        from public.batch_items i join public.batches b on b.id = i.batch_id
        where i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at is not null
            and b.started_at is not null
    ), grouped as (
        select j.finished_at, j.status, least(j.number / g.size, greatest(j.total / g.size, 1) - 1) as part
        from judged j cross join lateral (
            select coalesce(min(s), 100000) as size
            from unnest(array[10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]) s
            where s * greatest(max_points, 1)::bigint >= j.total
        ) g
    )
    select coalesce(jsonb_agg(to_jsonb(p) order by p.at), '[]') from (
        select percentile_disc(0.5) within group (order by g.finished_at) as at, min(g.finished_at) as begins_at,
            max(g.finished_at) as ends_at, count(*) filter (where g.status = 'completed') as accepted,
            count(*) filter (where g.status = 'failed') as failed
        from grouped g group by g.part
    ) p
$$;

-- The trend of a large batch, from its parts: as many parts in each group.
create function public.join_trend_parts(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    with parts as (
        select p.*, row_number() over (order by p.part) - 1 as number, count(*) over () as total
        from public.batch_trend p join public.batches b on b.id = p.batch_id
        where p.batch_id = target_batch_id and b.started_at is not null
    ), grouped as (
        select p.*, least(p.number / g.size, greatest(p.total / g.size, 1) - 1) as joined
        from parts p cross join lateral (select ceil(p.total::numeric / greatest(max_points, 1))::integer as size) g
    )
    select coalesce(jsonb_agg(to_jsonb(j) order by j.at), '[]') from (
        select percentile_disc(0.5) within group (order by g.ends_at) as at, min(g.begins_at) as begins_at,
            max(g.ends_at) as ends_at, sum(g.accepted) as accepted, sum(g.failed) as failed
        from grouped g group by g.joined
    ) j
$$;

-- How a batch went over time: what was judged, in the order in which it was, in at most `max_points` groups of as many
-- items each: 10, or more where there are many. The last group holds the rest, too. Each stands where the middle one of
-- its items closed. Groups by time would be of one item each where a batch is fast, and jump between 0 and 100 %.
create or replace function public.read_batch_trend(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    select case when t.completed + t.failed > 2000 then public.join_trend_parts(target_batch_id, max_points)
        else public.group_judged_items(target_batch_id, max_points) end
    from public.batch_totals t where t.batch_id = target_batch_id
$$;

-- All that the monitor shows of one batch but its items; null where there is none.
create or replace function public.watch_batch(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'progress', to_jsonb(p),
        'retry_of_name', (select o.name from public.batches o where o.id = p.retry_of),
        'retries', coalesce((
            select jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'status', r.status) order by r.created_at)
            from public.batches r where r.retry_of = p.id
        ), '[]'),
        'dataset', (select jsonb_build_object('id', d.id, 'name', d.name)
            from public.batches b join public.datasets d on d.id = b.dataset_id where b.id = p.id),
        'to_retry', case when exists (select 1 from public.batches r where r.retry_of = p.id)
            then (select count(*) from public.list_items_to_retry(p.id)) else p.failed end,
        'by_failure_type', coalesce((
            select jsonb_object_agg(t.failure_type, t.failures) from (
                select f.failure_type, count(*) as failures from public.failed_generations f
                where f.run_id = target_batch_id group by 1
            ) t
        ), '{}'),
        'by_pattern', coalesce((
            select jsonb_object_agg(t.truncation_pattern, t.failures) from (
                select f.truncation_pattern, count(*) as failures from public.failed_generations f
                where f.run_id = target_batch_id and f.truncation_pattern is not null group by 1
            ) t
        ), '{}'),
        'by_stop_reason', coalesce((
            select jsonb_object_agg(r.stop_reason, r.attempts) from public.batch_stop_reasons r
            where r.batch_id = target_batch_id
        ), '{}'),
        'trend', public.read_batch_trend(target_batch_id, max_points)
    )
    from public.batch_progress p where p.id = target_batch_id
$$;

-- One page of a batch's items in the order in which they are generated; `status_filter` null: all. Names are those at
-- submission. Returns {"total", "items"}.
create or replace function public.list_batch_items(
    target_batch_id uuid, status_filter text, page_size integer, page_offset integer
) returns jsonb
language sql stable set search_path = ''
as $$
    with page as materialized (
        select i.* from public.batch_items i
        where i.batch_id = target_batch_id and (status_filter is null or i.status = status_filter)
        order by i.position
        limit least(greatest(page_size, 1), 200) offset greatest(page_offset, 0)
    ), snapshot as materialized (
        select b.snapshot from public.batches b where b.id = target_batch_id
    ), names as materialized (
        select e.key as id, e.value ->> 'name' as name
        from snapshot s cross join unnest(array['personas', 'arcs', 'topics']) part
            cross join lateral jsonb_each(s.snapshot -> part) e
    )
    select jsonb_build_object(
        'total', coalesce((
            select case when status_filter is null then t.planned
                else coalesce((to_jsonb(t) ->> status_filter)::integer, 0) end
            from public.batch_totals t where t.batch_id = target_batch_id
        ), 0),
        'items', coalesce((
            select jsonb_agg(jsonb_build_object(
                'id', i.id, 'position', i.position, 'status', i.status, 'persona', p.name, 'arc', e.name, 'topic', t.name,
                'variation', i.variation, 'tier', i.tier, 'started_at', i.started_at, 'finished_at', i.finished_at, 'available_at', i.available_at,
                'attempts', a.attempts, 'duration_ms', a.duration_ms, 'output_tokens', a.output_tokens,
                'cost_usd', a.cost_usd, 'simulated', a.simulated,
                'last_error', a.last_error, 'last_http_status', a.last_http_status,
                'conversation_id', c.id, 'turn_count', c.turn_count,
                'failure_id', f.id, 'failure_type', f.failure_type, 'truncation_pattern', f.truncation_pattern,
                'failure_details', coalesce(f.truncation_details, f.error_message), 'turn_index', f.turn_index
            ) order by i.position)
            from page i
                left join names p on p.id = i.persona_id::text
                left join names e on e.id = i.emotional_arc_id::text
                left join names t on t.id = i.training_topic_id::text
                left join public.conversations c on c.batch_item_id = i.id
                left join public.failed_generations f on f.batch_item_id = i.id
                cross join lateral (
                    select count(*) as attempts, coalesce(sum(g.duration_ms), 0) as duration_ms,
                        sum(g.output_tokens) as output_tokens, sum(g.cost_usd) as cost_usd,
                        coalesce(bool_or(g.simulated), false) as simulated,
                        (array_agg(g.error_type order by g.attempt_number desc))[1] as last_error,
                        (array_agg(g.http_status order by g.attempt_number desc))[1] as last_http_status
                    from public.generation_attempts g where g.batch_item_id = i.id
                ) a
        ), '[]')
    )
$$;

revoke execute on function public.group_judged_items(uuid, integer), public.join_trend_parts(uuid, integer)
    from public, anon, authenticated;
grant execute on function public.group_judged_items(uuid, integer), public.join_trend_parts(uuid, integer)
    to authenticated, service_role;
