-- The Batch Monitor: the list of batches, one batch, its items and its log. All with the caller's rights: row-level security
-- decides what they see.

-- One page of batches, newest first. `filters` holds any of text (in name or model, or the beginning of the id) and statuses.
-- Returns {"total", "batches": [rows of batch_progress]}; only the batches of the page are counted through.
create function public.list_batches(filters jsonb, page_size integer, page_offset integer) returns jsonb
language sql stable set search_path = ''
as $$
    with matching as materialized (
        select b.id, b.created_at from public.batches b
        where (filters ->> 'text' is null
                or strpos(lower(b.name), lower(filters ->> 'text')) > 0
                or strpos(lower(b.model), lower(filters ->> 'text')) > 0
                or starts_with(b.id::text, lower(filters ->> 'text')))
            and (filters ->> 'statuses' is null or filters -> 'statuses' ? b.status)
    ), page as materialized (
        select m.id from matching m order by m.created_at desc, m.id desc
        limit least(greatest(page_size, 1), 200) offset greatest(page_offset, 0)
    )
    select jsonb_build_object(
        'total', (select count(*) from matching),
        'batches', coalesce((
            select jsonb_agg(to_jsonb(p) order by p.created_at desc, p.id desc)
            from page join public.batch_progress p on p.id = page.id
        ), '[]')
    )
$$;

-- How a batch went over time: items closed in each of at most `max_points` stretches since its first call. A stretch in which
-- nothing was closed (a pause) has no row. Their length is a round number of seconds, so that they stay put while it runs.
create function public.read_batch_trend(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    with span as (
        select b.started_at as begins_at,
            extract(epoch from coalesce(b.completed_at, now()) - b.started_at) / greatest(max_points - 1, 1) as shortest
        from public.batches b where b.id = target_batch_id and b.started_at is not null
    ), stretch as (
        select s.begins_at, coalesce(
            (select min(w) from unnest(array[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]) w
                where w >= s.shortest),
            ceil(s.shortest / 86400)::integer * 86400
        ) as seconds
        from span s
    ), counted as (
        select greatest(least(floor(extract(epoch from i.finished_at - s.begins_at) / s.seconds)::integer, max_points - 1), 0)
                as number,
            count(*) filter (where i.status = 'completed') as accepted, count(*) filter (where i.status = 'failed') as failed
        from stretch s join public.batch_items i
            on i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at is not null
        group by 1
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'begins_at', s.begins_at + make_interval(secs => (c.number * s.seconds)::double precision),
        'seconds', s.seconds, 'accepted', c.accepted, 'failed', c.failed
    ) order by c.number), '[]')
    from counted c cross join stretch s
$$;

-- All that the monitor shows of one batch but its items; null where there is none.
create function public.watch_batch(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'progress', to_jsonb(p),
        'retry_of_name', (select o.name from public.batches o where o.id = p.retry_of),
        'retries', coalesce((
            select jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'status', r.status) order by r.created_at)
            from public.batches r where r.retry_of = p.id
        ), '[]'),
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
            select jsonb_object_agg(t.stop_reason, t.attempts) from (
                select coalesce(a.stop_reason, 'none') as stop_reason, count(*) as attempts
                from public.generation_attempts a where a.batch_id = target_batch_id group by 1
            ) t
        ), '{}'),
        'trend', public.read_batch_trend(target_batch_id, max_points)
    )
    from public.batch_progress p where p.id = target_batch_id
$$;

-- One page of a batch's items in the order in which they are generated; `status_filter` null: all.
-- Names are those at submission. Returns {"total", "items"}.
create function public.list_batch_items(
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
        'total', (
            select count(*) from public.batch_items i
            where i.batch_id = target_batch_id and (status_filter is null or i.status = status_filter)
        ),
        'items', coalesce((
            select jsonb_agg(jsonb_build_object(
                'id', i.id, 'position', i.position, 'status', i.status, 'persona', p.name, 'arc', e.name, 'topic', t.name,
                'tier', i.tier, 'started_at', i.started_at, 'finished_at', i.finished_at, 'available_at', i.available_at,
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

-- One page of a batch's log: its attempts in the order in which they were recorded, after the one that `after_created_at` and
-- `after_id` name (both null: the first page).
create function public.list_attempt_log(
    target_batch_id uuid, after_created_at timestamptz, after_id uuid, page_size integer
) returns jsonb
language sql stable set search_path = ''
as $$
    with page as materialized (
        select a.* from public.generation_attempts a
        where a.batch_id = target_batch_id
            and (after_created_at is null or (a.created_at, a.id) > (after_created_at, after_id))
        order by a.created_at, a.id
        limit least(greatest(page_size, 1), 5000)
    ), snapshot as materialized (
        select b.snapshot from public.batches b where b.id = target_batch_id
    ), names as materialized (
        select e.key as id, e.value ->> 'name' as name
        from snapshot s cross join unnest(array['personas', 'arcs', 'topics']) part
            cross join lateral jsonb_each(s.snapshot -> part) e
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', a.id, 'recorded_at', a.created_at, 'item', i.position, 'persona', p.name, 'arc', e.name, 'topic', t.name,
        'attempt', a.attempt_number, 'started_at', a.started_at, 'duration_ms', a.duration_ms, 'wait_ms', a.wait_ms,
        'outcome', a.outcome, 'stop_reason', a.stop_reason, 'http_status', a.http_status,
        'failure_type', a.failure_type, 'failure_pattern', a.failure_pattern, 'error_type', a.error_type,
        'error_message', a.error_message, 'model', a.model, 'max_tokens', a.max_tokens, 'input_tokens', a.input_tokens,
        'output_tokens', a.output_tokens, 'cost_usd', a.cost_usd, 'request_id', a.request_id, 'simulated', a.simulated
    ) order by a.created_at, a.id), '[]')
    from page a
        join public.batch_items i on i.id = a.batch_item_id
        left join names p on p.id = i.persona_id::text
        left join names e on e.id = i.emotional_arc_id::text
        left join names t on t.id = i.training_topic_id::text
$$;

-- The active templates that a retry of this batch's failed items may use instead of those it used.
create function public.list_retry_templates(target_batch_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'name', t.name, 'version', t.version, 'arc', a.name,
        'is_used', exists (
            select 1 from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'failed' and i.template_id = t.id
        )
    ) order by a.name, t.version desc, t.id), '[]')
    from public.prompt_templates t join public.emotional_arcs a on a.id = t.emotional_arc_id
    where t.is_active and t.emotional_arc_id in (
        select i.emotional_arc_id from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    )
$$;

revoke execute on function
    public.list_batches(jsonb, integer, integer), public.read_batch_trend(uuid, integer), public.watch_batch(uuid, integer),
    public.list_batch_items(uuid, text, integer, integer),
    public.list_attempt_log(uuid, timestamptz, uuid, integer), public.list_retry_templates(uuid)
    from public, anon;
grant execute on function
    public.list_batches(jsonb, integer, integer), public.read_batch_trend(uuid, integer), public.watch_batch(uuid, integer),
    public.list_batch_items(uuid, text, integer, integer),
    public.list_attempt_log(uuid, timestamptz, uuid, integer), public.list_retry_templates(uuid)
    to authenticated, service_role;
