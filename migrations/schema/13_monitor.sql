-- Monitor: how batches are doing, for the Batch Monitor, the home page and `brightrun status`. All of it runs under
-- the caller's row-level security.

-- One row for each batch, always with planned = accepted + failed + cancelled + running + queued: what a worker holds
-- beyond the calls that it may make is leased ahead and counts as queued. Pace is measured over what was judged last, since the batch was last resumed: a pause is no part of it. `needed_budget_usd` is the
-- least budget with which a paused batch can go on, null where its budget does not hold it back.
create view public.batch_progress with (security_invoker = true) as
select b.id, b.name, b.status, b.status_reason, b.conversation_category, b.model, b.max_tokens, b.effort,
    b.structured_outputs, b.concurrency, b.error_handling, b.raise_max_tokens, b.budget_usd, b.canary_items, b.retry_of,
    b.pace_limit, b.pace_reason, b.pace_changed_at,
    b.estimated_seconds, b.estimated_cost_usd, b.created_by,
    b.created_at, b.updated_at, b.started_at, b.completed_at,
    t.planned, t.completed as accepted, t.failed, t.cancelled, r.running, t.queued + t.processing - r.running as queued,
    t.attempts, t.cost_usd, t.input_tokens, t.output_tokens, t.simulated_attempts > 0 as simulated, b.imported,
    case when l.judged > 30 and b.completed_at is null then l.since when b.started_at is not null then w.since end as recent_since,
    l.until as recent_until,
    case when w.is_whole then t.completed + t.failed when b.completed_at is null then least(l.judged, 30) else l.judged end
        as recent_judged,
    case when b.status = 'paused' and b.budget_usd is not null and t.queued + t.processing > 0 then (
        select m.spent_usd + m.call_usd from public.measure_budget(b.id) m
        where m.spent_usd >= b.budget_usd or m.spent_usd + m.call_usd > b.budget_usd
    ) end as needed_budget_usd
from public.batches b
join public.batch_totals t on t.batch_id = b.id
cross join lateral (
    select least(t.processing, coalesce(sum(bw.slots), t.processing))::integer as running
    from public.batch_workers bw where bw.batch_id = b.id
) r
cross join lateral (
    -- Of a batch that has ended and was never resumed, all that was judged counts; its totals say how many that were.
    select greatest(b.started_at, b.watched_since) as since,
        b.completed_at is not null and b.watched_since <= b.started_at as is_whole
) w
-- 30 closed items and the moment before them, read from the end of idx_batch_items_finished; of a batch that has ended, all.
cross join lateral (
    select count(*)::integer as judged, min(latest.finished_at) as since, max(latest.finished_at) as until
    from (
        select bi.finished_at from public.batch_items bi
        where bi.batch_id = b.id and bi.status in ('completed', 'failed') and bi.finished_at >= w.since
        order by bi.finished_at desc
        limit case when b.completed_at is null then 31 when w.is_whole then 1 end
    ) latest
) l;
comment on view public.batch_progress is 'A batch with its counts, spend and tokens';

-- What a conversation has cost and taken so far, for estimates: one row for each model, with the spread that a range
-- needs, and how many characters a token has. A conversation is an item with a reply, accepted or failed, with the cost
-- of all its calls; items of which no call brought a reply say nothing of the next. It rests on the caller's latest 5,000 attempts, so it follows what has
-- changed (model, templates) and reads the same number of rows however many there are.
create view public.generation_history with (security_invoker = true) as
with latest as (
    select a.model, a.simulated, a.batch_item_id, a.cost_usd, a.duration_ms, a.prompt_length,
        a.stop_reason is not null or a.output_tokens is not null as is_reply,
        coalesce(a.input_tokens, 0) + coalesce(a.cache_creation_input_tokens, 0) + coalesce(a.cache_read_input_tokens, 0)
            as prompt_tokens
    from public.generation_attempts a
    where a.created_by = (select auth.uid())
    order by a.created_at desc
    limit 5000
), items as (
    select l.model, l.simulated, coalesce(sum(l.cost_usd), 0)::double precision as cost_usd,
        sum(l.duration_ms)::double precision / 1000 as seconds,
        sum(l.prompt_length) filter (where l.prompt_tokens > 0) as characters, sum(l.prompt_tokens) as tokens
    from latest l
    group by l.model, l.simulated, l.batch_item_id
    having bool_or(l.is_reply)
)
select i.model, i.simulated, count(*)::integer as items, sum(i.cost_usd) as cost_usd, sum(i.seconds) as duration_seconds,
    stddev_samp(i.cost_usd) as cost_deviation_usd, stddev_samp(i.seconds) as duration_deviation_seconds,
    sum(i.characters)::double precision / nullif(sum(i.tokens), 0)::double precision as characters_per_token
from items i
group by i.model, i.simulated;
comment on view public.generation_history is
    'What a conversation has cost and taken lately, retries included: the caller''s latest 5,000 attempts, by model';

-- One page of batches, newest first. `filters` holds any of text (in name or model, or the beginning of the id) and
-- statuses. Returns {"total", "batches": [rows of batch_progress]}; only the items of the page's batches are counted.
create function public.list_batches(filters jsonb, page_size integer, page_offset integer) returns jsonb
language sql stable set search_path = ''
as $$
    with matching as materialized (
        select b.id, b.created_at from public.batches b
        where public.require_filters(filters)
            and (filters ->> 'text' is null
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
create function public.read_batch_trend(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    select case when t.completed + t.failed > 2000 then public.join_trend_parts(target_batch_id, max_points)
        else public.group_judged_items(target_batch_id, max_points) end
    from public.batch_totals t where t.batch_id = target_batch_id
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

-- One page of a batch's log: its attempts in the order in which they were recorded, after the one that
-- `after_created_at` and `after_id` name (both null: the first page).
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

-- The home page: totals of all of the caller's generated batches, coverage of the scaffolding, what runs now.
create function public.read_overview() returns jsonb
language sql stable set search_path = ''
as $$
    with recursive judged as materialized (
        select count(*) filter (where i.status = 'completed') as accepted,
            count(*) filter (where i.status = 'failed') as failed,
            count(*) filter (where i.status = 'completed' and i.finished_at >= now() - interval '7 days') as recent_accepted,
            count(*) filter (where i.status = 'failed' and i.finished_at >= now() - interval '7 days') as recent_failed
        from public.batch_items i
        where i.created_by = (select auth.uid()) and i.status in ('completed', 'failed') and not i.imported
    ), spend as materialized (
        select coalesce(sum(a.cost_usd) filter (where not a.simulated), 0) as charged,
            coalesce(sum(a.cost_usd) filter (where a.simulated), 0) as simulated
        from public.generation_attempts a where a.created_by = (select auth.uid())
    ), kept as materialized (
        select c.persona_id, c.emotional_arc_id, c.training_topic_id, count(*) as conversations,
            count(*) filter (where c.simulated) as simulated
        from public.conversations c
        where c.created_by = (select auth.uid())
            and not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id)
        group by 1, 2, 3
    ), patterns as (
        -- One step for each pattern, by the index, however many failures there are.
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern is not null and not f.imported) as pattern
        union all
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern > p.pattern and not f.imported)
        from patterns p where p.pattern is not null
    ), first_seen as (
        select p.pattern, (select min(f.created_at) from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern = p.pattern and not f.imported)
            as first_seen_at
        from patterns p where p.pattern is not null
    )
    select jsonb_build_object(
        'accepted', j.accepted, 'failed', j.failed,
        'recent_accepted', j.recent_accepted, 'recent_failed', j.recent_failed,
        'conversations', coalesce((select sum(k.conversations) from kept k), 0),
        'simulated_conversations', coalesce((select sum(k.simulated) from kept k), 0),
        'spend_usd', s.charged, 'simulated_spend_usd', s.simulated,
        'batches', (select count(*) from public.batches b where not b.imported),
        'active_batches', (select count(*) from public.batches b where b.status in ('queued', 'processing')),
        'paused_batches', (select count(*) from public.batches b where b.status = 'paused'),
        'open_items', (
            select count(*) from public.batches b join public.batch_items i on i.batch_id = b.id
            where b.status in ('queued', 'processing') and i.status in ('queued', 'processing')
        ),
        'first_batch_at', (select min(b.created_at) from public.batches b where not b.imported),
        'patterns', coalesce((
            select jsonb_agg(jsonb_build_object('pattern', p.pattern, 'first_seen_at', p.first_seen_at) order by p.first_seen_at)
            from first_seen p
        ), '[]'),
        'coverage', jsonb_build_object(
            'topics', (select count(*) from public.training_topics t where t.is_active),
            'personas', coalesce((
                select jsonb_agg(jsonb_build_object('id', p.id, 'key', p.persona_key, 'name', p.name) order by p.name)
                from public.personas p where p.is_active
            ), '[]'),
            'arcs', coalesce((
                select jsonb_agg(jsonb_build_object('id', e.id, 'key', e.arc_key, 'name', e.name,
                    'conversation_category', e.conversation_category)
                    order by e.conversation_category, e.name)
                from public.emotional_arcs e where e.is_active
            ), '[]'),
            'cells', coalesce((
                select jsonb_agg(to_jsonb(cell)) from (
                    select k.persona_id, k.emotional_arc_id, count(*) filter (where t.is_active) as topics,
                        sum(k.conversations) as conversations
                    from kept k join public.training_topics t on t.id = k.training_topic_id group by 1, 2
                ) cell
            ), '[]')
        )
    )
    from judged j cross join spend s
$$;
