-- A look at a large batch reads its curve and its stop reasons from a few rows, kept as its totals are.

-- What was judged in each batch, in the order in which it was: parts of about 100 items, of which the monitor draws its curve
-- where a batch is large. Kept like the totals.
create table public.batch_trend (
    batch_id uuid not null references public.batches (id) on delete cascade,
    part integer not null,
    accepted integer not null,
    failed integer not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    primary key (batch_id, part)
);
comment on table public.batch_trend is 'Judged items of each batch in parts of about 100, in their order; kept by a trigger';
alter table public.batch_trend enable row level security;
create policy "Users read the trends of their batches" on public.batch_trend
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- How often each stop_reason came in a batch's attempts; 'none' where no reply came. Kept like the totals.
create table public.batch_stop_reasons (
    batch_id uuid not null references public.batches (id) on delete cascade,
    stop_reason text not null,
    attempts integer not null,
    primary key (batch_id, stop_reason)
);
comment on table public.batch_stop_reasons is 'Attempts of each batch by stop_reason; kept by a trigger';
alter table public.batch_stop_reasons enable row level security;
create policy "Users read the stop reasons of their batches" on public.batch_stop_reasons
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- Moves items whose status has changed from one total of their batches to another, and adds the judged ones to the trend.
create or replace function public.count_changed_items() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.batch_trend as kept (batch_id, part, accepted, failed, begins_at, ends_at)
    select n.batch_id, (t.completed + t.failed) / 100, count(*) filter (where n.status = 'completed'),
        count(*) filter (where n.status = 'failed'), min(n.finished_at), max(n.finished_at)
    from after n join before o on o.id = n.id join public.batch_totals t on t.batch_id = n.batch_id
    where n.status in ('completed', 'failed') and n.status <> o.status and n.finished_at is not null
    group by n.batch_id, (t.completed + t.failed) / 100
    on conflict (batch_id, part) do update set accepted = kept.accepted + excluded.accepted,
        failed = kept.failed + excluded.failed, begins_at = least(kept.begins_at, excluded.begins_at),
        ends_at = greatest(kept.ends_at, excluded.ends_at);
    update public.batch_totals t
    set queued = t.queued + d.queued, processing = t.processing + d.processing, completed = t.completed + d.completed,
        failed = t.failed + d.failed, cancelled = t.cancelled + d.cancelled
    from (
        select c.batch_id, sum(c.change) filter (where c.status = 'queued') as queued,
            sum(c.change) filter (where c.status = 'processing') as processing,
            sum(c.change) filter (where c.status = 'completed') as completed,
            sum(c.change) filter (where c.status = 'failed') as failed,
            sum(c.change) filter (where c.status = 'cancelled') as cancelled
        from (
            select o.batch_id, o.status, -1 as change from before o union all select n.batch_id, n.status, 1 from after n
        ) c
        group by c.batch_id
    ) s
    cross join lateral (
        select coalesce(s.queued, 0) as queued, coalesce(s.processing, 0) as processing,
            coalesce(s.completed, 0) as completed, coalesce(s.failed, 0) as failed, coalesce(s.cancelled, 0) as cancelled
    ) d
    where t.batch_id = s.batch_id and (d.queued, d.processing, d.completed, d.failed, d.cancelled) <> (0, 0, 0, 0, 0);
    return null;
end
$$;

-- Adds attempts that were just appended to the totals of their batches.
create or replace function public.count_new_attempts() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update public.batch_totals t
    set attempts = t.attempts + s.attempts, simulated_attempts = t.simulated_attempts + s.simulated,
        cost_usd = t.cost_usd + s.cost_usd, priced_calls = t.priced_calls + s.priced,
        unpriced_replies = t.unpriced_replies + s.unpriced, input_tokens = t.input_tokens + s.input_tokens,
        output_tokens = t.output_tokens + s.output_tokens
    from (
        select a.batch_id, count(*) as attempts, count(*) filter (where a.simulated) as simulated,
            coalesce(sum(a.cost_usd), 0) as cost_usd, count(a.cost_usd) as priced,
            count(*) filter (where a.cost_usd is null and a.stop_reason is not null) as unpriced,
            coalesce(sum(a.input_tokens), 0) as input_tokens, coalesce(sum(a.output_tokens), 0) as output_tokens
        from added a group by a.batch_id
    ) s
    where t.batch_id = s.batch_id;
    insert into public.batch_stop_reasons as kept (batch_id, stop_reason, attempts)
    select a.batch_id, coalesce(a.stop_reason, 'none'), count(*) from added a group by 1, 2 order by 1, 2
    on conflict (batch_id, stop_reason) do update set attempts = kept.attempts + excluded.attempts;
    return null;
end
$$;

insert into public.batch_trend (batch_id, part, accepted, failed, begins_at, ends_at)
select j.batch_id, j.number / 100, count(*) filter (where j.status = 'completed'), count(*) filter (where j.status = 'failed'),
    min(j.finished_at), max(j.finished_at)
from (
    select i.batch_id, i.status, i.finished_at,
        row_number() over (partition by i.batch_id order by i.finished_at, i.position) - 1 as number
    from public.batch_items i where i.status in ('completed', 'failed') and i.finished_at is not null and not i.imported
) j
group by j.batch_id, j.number / 100;
insert into public.batch_stop_reasons (batch_id, stop_reason, attempts)
select a.batch_id, coalesce(a.stop_reason, 'none'), count(*) from public.generation_attempts a group by 1, 2;

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

revoke all on public.batch_trend, public.batch_stop_reasons from anon, authenticated;
grant select on public.batch_trend, public.batch_stop_reasons to authenticated;
revoke execute on function public.group_judged_items(uuid, integer), public.join_trend_parts(uuid, integer)
    from public, anon, authenticated;
grant execute on function public.group_judged_items(uuid, integer), public.join_trend_parts(uuid, integer)
    to authenticated, service_role;
