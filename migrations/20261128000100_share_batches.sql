-- Many workers share one batch: each gets a part of its calls and leases items a little ahead of them. What a lease, a
-- record or a look at the monitor costs no longer grows with the batch: totals are kept, and a canary is judged once. Who changes
-- items of a batch locks the batch first, and several batches by their ids, so that nobody waits for each other.

alter table public.batches add column canary_passed boolean not null default false;
comment on column public.batches.canary_passed is 'Its canary has ended well, or somebody has resumed it since: not looked at again';

-- How the items of each batch stand, and what its calls have used. A lease, a record or a look at the monitor reads one row
-- instead of counting up to 100,000; the triggers of items and attempts keep it in the same transaction, so that it is
-- their count at any moment, and nothing else writes it.
create table public.batch_totals (
    batch_id uuid primary key references public.batches (id) on delete cascade,
    planned integer not null default 0,
    queued integer not null default 0,
    processing integer not null default 0,
    completed integer not null default 0,
    failed integer not null default 0,
    cancelled integer not null default 0,
    attempts integer not null default 0,
    simulated_attempts integer not null default 0,
    cost_usd numeric not null default 0,
    priced_calls integer not null default 0,
    unpriced_replies integer not null default 0,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0
) with (fillfactor = 50);
comment on table public.batch_totals is 'Counts of the items of each batch by status, and sums over its attempts; kept by triggers';
alter table public.batch_totals enable row level security;
create policy "Users read the totals of their batches" on public.batch_totals
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

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

-- Adds new items to the totals of their batches.
create function public.count_new_items() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.batch_totals as kept (batch_id, planned, queued, processing, completed, failed, cancelled)
    select a.batch_id, count(*), count(*) filter (where a.status = 'queued'), count(*) filter (where a.status = 'processing'),
        count(*) filter (where a.status = 'completed'), count(*) filter (where a.status = 'failed'),
        count(*) filter (where a.status = 'cancelled')
    from added a group by a.batch_id
    on conflict (batch_id) do update set planned = kept.planned + excluded.planned, queued = kept.queued + excluded.queued,
        processing = kept.processing + excluded.processing, completed = kept.completed + excluded.completed,
        failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
    return null;
end
$$;
create trigger count_new_items after insert on public.batch_items
    referencing new table as added for each statement execute function public.count_new_items();

-- Moves items whose status has changed from one total of their batches to another, and adds the judged ones to the trend.
create function public.count_changed_items() returns trigger
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
create trigger count_changed_items after update on public.batch_items
    referencing old table as before new table as after for each statement execute function public.count_changed_items();

insert into public.batch_totals (batch_id, planned, queued, processing, completed, failed, cancelled)
select b.id, count(i.id), count(i.id) filter (where i.status = 'queued'), count(i.id) filter (where i.status = 'processing'),
    count(i.id) filter (where i.status = 'completed'), count(i.id) filter (where i.status = 'failed'),
    count(i.id) filter (where i.status = 'cancelled')
from public.batches b left join public.batch_items i on i.batch_id = b.id group by b.id;

-- Adds attempts that were just appended to the totals of their batches.
create function public.count_new_attempts() returns trigger
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
create trigger count_new_attempts after insert on public.generation_attempts
    referencing new table as added for each statement execute function public.count_new_attempts();

update public.batch_totals t
set attempts = s.attempts, simulated_attempts = s.simulated, cost_usd = s.cost_usd, priced_calls = s.priced,
    unpriced_replies = s.unpriced, input_tokens = s.input_tokens, output_tokens = s.output_tokens
from (
    select a.batch_id, count(*) as attempts, count(*) filter (where a.simulated) as simulated,
        coalesce(sum(a.cost_usd), 0) as cost_usd, count(a.cost_usd) as priced,
        count(*) filter (where a.cost_usd is null and a.stop_reason is not null) as unpriced,
        coalesce(sum(a.input_tokens), 0) as input_tokens, coalesce(sum(a.output_tokens), 0) as output_tokens
    from public.generation_attempts a group by a.batch_id
) s
where t.batch_id = s.batch_id;

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

-- What a batch has spent, and what one more call is expected to cost: its mean so far; before the first paid call its
-- share of the estimate. A reply whose price is not known counts as one expected call.
create or replace function public.measure_budget(target_batch_id uuid, out spent_usd numeric, out call_usd numeric)
language sql stable set search_path = ''
as $$
    select p.spent + p.unpriced_replies * c.call_usd, c.call_usd
    from (
        select coalesce(max(t.cost_usd), 0) as spent, coalesce(max(t.priced_calls), 0) as priced_calls,
            coalesce(max(t.unpriced_replies), 0) as unpriced_replies, coalesce(max(t.planned), 0) as planned
        from public.batch_totals t where t.batch_id = target_batch_id
    ) p
    cross join lateral (
        select case when p.priced_calls > 0 then p.spent / p.priced_calls else coalesce((
            select b.estimated_cost_usd / nullif(p.planned, 0) from public.batches b where b.id = target_batch_id
        ), 0) end as call_usd
    ) c
$$;

-- How many more items a batch may lease: none beyond its canary until that has passed, none beyond its budget. Pauses
-- the batch where the canary failed or the budget is reached. The caller holds the batch's row lock.
create or replace function public.check_limits(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    batch public.batches;
    in_flight integer;
    spent numeric;
    expected numeric;
    allowed integer := 1000000;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id;
    if batch.canary_items > 0 and not batch.canary_passed and not public.check_canary(batch) then
        return 0;
    end if;
    if batch.budget_usd is not null then
        select m.spent_usd, m.call_usd into spent, expected from public.measure_budget(target_batch_id) m;
        select t.processing into in_flight from public.batch_totals t where t.batch_id = target_batch_id;
        if spent >= batch.budget_usd or (in_flight = 0 and spent + expected > batch.budget_usd) then
            perform public.pause_batch(target_batch_id, format(
                'Paused automatically: the budget of $%s is reached ($%s spent, about $%s a call). Raise it or cancel.',
                round(batch.budget_usd, 2), round(spent, 2), round(expected, 4)));
            return 0;
        end if;
        if expected > 0 then
            allowed := least(allowed, floor((batch.budget_usd - spent) / expected)::integer - in_flight);
        end if;
    end if;
    return greatest(allowed, 0);
end
$$;

-- Judges a canary once it has ended: notes that it passed, or pauses the batch; false where it failed. One that was resumed
-- since the canary ended has been looked at by somebody, so it goes on. The caller holds the batch's row lock.
create function public.check_canary(batch public.batches) returns boolean
language plpgsql set search_path = ''
as $$
declare
    accepted integer;
    failed integer;
    ended_at timestamptz;
begin
    if exists (
        select 1 from public.batch_items i
        where i.batch_id = batch.id and i.status in ('queued', 'processing') and i.position < batch.canary_items
    ) then
        return true;
    end if;
    select count(*) filter (where i.status = 'completed'), count(*) filter (where i.status = 'failed'), max(i.finished_at)
    into accepted, failed, ended_at
    from public.batch_items i where i.batch_id = batch.id and i.position < batch.canary_items;
    if failed > batch.breaker_share * (accepted + failed) and ended_at >= batch.watched_since then
        perform public.pause_batch(batch.id, format(
            'Paused automatically: %s of the %s canary items failed (more than %s %%). Look at the failures, then resume or cancel.',
            failed, accepted + failed, round((batch.breaker_share * 100)::numeric)));
        return false;
    end if;
    update public.batches b set canary_passed = true where b.id = batch.id;
    return true;
end
$$;

drop function public.lease_items(uuid, text, integer, double precision);

-- How many calls each worker may make for a batch; their sum is never more than the batch allows.
create table public.batch_workers (
    batch_id uuid not null references public.batches (id) on delete cascade,
    worker text not null,
    slots integer not null check (slots >= 0),
    expires_at timestamptz not null,
    primary key (batch_id, worker)
);
comment on table public.batch_workers is 'Who works on a batch now; a worker that is gone leaves its row to expire';
alter table public.batch_workers enable row level security;
create policy "Users read who works on their batches" on public.batch_workers
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- Divides `most` calls among the workers of a batch: `share` is this worker's part, `slots` what it may use of it now,
-- since others give back theirs only when their calls end. The caller holds the batch's row lock.
create function public.grant_slots(
    target_batch_id uuid, worker text, most integer, calling integer, lease_seconds double precision,
    out share integer, out slots integer
)
language plpgsql set search_path = ''
as $$
declare
    others integer;
    before integer;
    taken integer;
begin
    delete from public.batch_workers w
    where w.batch_id = target_batch_id and w.expires_at < now() and w.worker <> grant_slots.worker;
    select count(*), count(*) filter (where w.worker < grant_slots.worker), coalesce(sum(w.slots), 0)
    into others, before, taken
    from public.batch_workers w where w.batch_id = target_batch_id and w.worker <> grant_slots.worker;
    share := most / (others + 1) + (before < most % (others + 1))::integer;
    slots := greatest(least(share, most - taken), 0);
    insert into public.batch_workers as kept (batch_id, worker, slots, expires_at)
    values (target_batch_id, grant_slots.worker, greatest(slots, calling), now() + make_interval(secs => lease_seconds))
    on conflict on constraint batch_workers_pkey do update set slots = excluded.slots, expires_at = excluded.expires_at;
end
$$;

-- Notes that a worker has left a batch, so that others get its calls.
create function public.leave_batch(target_batch_id uuid, worker text) returns void
language sql security definer set search_path = ''
as $$
    delete from public.batch_workers w where w.batch_id = target_batch_id and w.worker = leave_batch.worker
$$;

-- Leases up to `wanted` items: what the worker may call now, and a few ahead of that. `held` items it has already, of
-- which it is `calling` some. Nothing is leased beyond a canary while one of its items is open, or beyond a budget. An item that has
-- lost two workers is a suspect: it waits until no other item can be leased, and runs alone, so that it takes no other
-- item with it. Returns {"status", "share", "slots", "ahead", "items": [...], "next_available_in_seconds"}: status is null
-- where there is no such batch, the seconds where no item is queued, and 0 where one is held back by others.
create function public.lease_items(
    target_batch_id uuid, worker text, wanted integer, lease_seconds double precision, held integer default 0,
    calling integer default 0
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    batch public.batches;
    share integer := 0;
    slots integer := 0;
    ahead integer := 0;
    allowed integer := 0;
    leased jsonb := '[]';
    end_position integer;
    suspect_from constant integer := 2;
    fresh_wait boolean;
    others_run boolean;
    suspect_runs boolean;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id for update;
    if not found then
        return jsonb_build_object('status', null, 'share', 0, 'slots', 0, 'ahead', 0, 'items', leased,
            'next_available_in_seconds', null);
    end if;
    perform public.reclaim_items(target_batch_id);
    if batch.status in ('queued', 'processing') then
        allowed := public.check_limits(target_batch_id);
        select b.* into batch from public.batches b where b.id = target_batch_id;
    end if;
    -- Only items before this position may run now; null: all.
    end_position := case when batch.canary_items > 0 and not batch.canary_passed then batch.canary_items end;
    if batch.status in ('queued', 'processing') then
        select g.share, g.slots into share, slots
        from public.grant_slots(target_batch_id, worker, least(batch.concurrency, batch.pace_limit), calling, lease_seconds) g;
        ahead := least(slots, 8 + slots / 2);
        select exists (
            select 1 from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'queued' and i.available_at <= now()
                and (end_position is null or i.position < end_position) and i.lost_leases < suspect_from
        ), exists (
            select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'processing'
        ), exists (
            select 1 from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'processing' and i.lost_leases >= suspect_from
        ) into fresh_wait, others_run, suspect_runs;
        with picked as (
            select i.id from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'queued' and i.available_at <= now()
                and (end_position is null or i.position < end_position)
                and (i.lost_leases < suspect_from or (not fresh_wait and not others_run))
            order by i.available_at, i.position
            limit greatest(least(
                wanted, allowed, case when slots > 0 then slots + ahead - held else 0 end,
                case when suspect_runs then 0 when fresh_wait then wanted else 1 end
            ), 0)
            for update skip locked
        ), taken as (
            update public.batch_items i
            set status = 'processing', lease_token = gen_random_uuid(), leased_by = worker,
                lease_expires_at = now() + make_interval(secs => lease_seconds),
                started_at = coalesce(i.started_at, now())
            from picked where picked.id = i.id
            returning i.*
        )
        select coalesce(jsonb_agg(jsonb_build_object(
            'item_id', t.id, 'lease_token', t.lease_token, 'position', t.position, 'persona_id', t.persona_id,
            'emotional_arc_id', t.emotional_arc_id, 'training_topic_id', t.training_topic_id,
            'template_id', t.template_id, 'variation', t.variation, 'max_tokens', t.max_tokens,
            'attempt_number', 1 + earlier.attempts, 'spent_seconds', earlier.spent_seconds,
            'lost_leases', t.lost_leases, 'runs_alone', t.lost_leases >= suspect_from
        ) order by t.position), '[]') into leased
        from taken t
        cross join lateral (
            select count(*) as attempts, coalesce(sum(a.duration_ms + a.wait_ms), 0)::double precision / 1000 as spent_seconds
            from public.generation_attempts a where a.batch_item_id = t.id
        ) earlier;
        if batch.status = 'queued' and jsonb_array_length(leased) > 0 then
            update public.batches b
            set status = 'processing', started_at = coalesce(b.started_at, now()), updated_at = now()
            where b.id = target_batch_id;
            batch.status := 'processing';
        end if;
    end if;
    return jsonb_build_object('status', batch.status, 'share', share, 'slots', slots, 'ahead', ahead, 'items', leased,
        'next_available_in_seconds', public.find_next_available(target_batch_id, end_position));
end
$$;

-- In how many seconds the next queued item before a position (null: any) can be leased; 0 where only later ones are
-- queued, null where none is.
create function public.find_next_available(target_batch_id uuid, end_position integer) returns double precision
language plpgsql stable set search_path = ''
as $$
declare
    next_at timestamptz;
begin
    if end_position is not null then
        select min(i.available_at) into next_at from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'queued' and i.position < end_position;
        if next_at is null then
            return case when exists (
                select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'queued'
            ) then 0 end;
        end if;
    else
        select i.available_at into next_at from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'queued' order by i.available_at limit 1;
    end if;
    return greatest(extract(epoch from next_at - now()), 0);
end
$$;

-- Notes that a worker still works on its items; returns the ids of those that are still leased to it. In a stopped
-- batch calls have ten minutes to end: then their leases run out, and reconciling cancels the items. A reply that
-- comes even later is recorded all the same, since it has been paid for (take_leased_item).
create or replace function public.extend_leases(target_batch_id uuid, lease_tokens uuid[], lease_seconds double precision)
returns jsonb
language sql security definer set search_path = ''
as $$
    select 1 from public.batches b where b.id = target_batch_id for update;
    with extended as (
        update public.batch_items i set lease_expires_at = now() + make_interval(secs => lease_seconds)
        from public.batches b
        where b.id = i.batch_id and i.batch_id = target_batch_id and i.status = 'processing'
            and i.lease_token = any (lease_tokens)
            and (b.status in ('queued', 'processing', 'paused') or b.stopped_at > now() - interval '10 minutes')
        returning i.id
    )
    select jsonb_build_object(
        'status', (select b.status from public.batches b where b.id = target_batch_id),
        'item_ids', coalesce((select jsonb_agg(e.id) from extended e), '[]')
    )
$$;

-- The batches that one more worker could help: open, with an item that can be leased now, and with more calls than
-- workers. `jobs` is how many workers could share it.
create function public.find_batches_to_help() returns table (id uuid, created_at timestamptz, jobs integer)
language sql stable set search_path = ''
as $$
    select b.id, b.created_at, least(b.concurrency, b.pace_limit) from public.batches b
    where b.status in ('queued', 'processing') and exists (
        select 1 from public.batch_items i
        where i.batch_id = b.id and i.status = 'queued' and i.available_at <= now()
    ) and (
        select count(*) from public.batch_workers w where w.batch_id = b.id and w.expires_at >= now()
    ) < least(b.concurrency, b.pace_limit)
$$;

-- Settles what workers that are gone have left, and names the batches that need a worker, oldest first:
-- [{"batch_id", "jobs"}].
create or replace function public.reconcile_batches() returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    stale uuid;
begin
    for stale in
        select distinct i.batch_id from public.batch_items i where i.status = 'processing' and i.lease_expires_at < now()
        order by i.batch_id
    loop
        perform 1 from public.batches b where b.id = stale for update;
        perform public.reclaim_items(stale);
        perform public.settle_batch(stale);
    end loop;
    return coalesce((
        select jsonb_agg(jsonb_build_object('batch_id', o.id, 'jobs', o.jobs) order by o.created_at)
        from public.find_batches_to_help() o
    ), '[]');
end
$$;

-- Names the batches that this worker could help and does not work on yet, oldest first.
create function public.list_batches_to_help(worker text) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(o.id order by o.created_at), '[]') from (
        select h.id, h.created_at from public.find_batches_to_help() h
        where not exists (
            select 1 from public.batch_workers w
            where w.batch_id = h.id and w.worker = list_batches_to_help.worker and w.expires_at >= now()
        )
        order by h.created_at limit 100
    ) o
$$;

-- Sets a batch's final status when none of its items is open; returns its status.
create or replace function public.settle_batch(target_batch_id uuid) returns text
language plpgsql set search_path = ''
as $$
declare
    batch_status text;
    totals public.batch_totals;
begin
    select b.status into batch_status from public.batches b where b.id = target_batch_id for update;
    select t.* into totals from public.batch_totals t where t.batch_id = target_batch_id;
    if batch_status is null or totals.queued + totals.processing > 0 then
        return batch_status;
    end if;
    if batch_status in ('completed', 'failed', 'cancelled') then
        update public.batches b set completed_at = now(), updated_at = now()
        where b.id = target_batch_id and b.completed_at is null;
        return batch_status;
    end if;
    update public.batches b
    set status = case when totals.completed = 0 and totals.failed > 0 then 'failed' else 'completed' end,
        status_reason = case when totals.completed = 0 and totals.failed > 0 then 'No conversation was accepted.' end,
        completed_at = now(), updated_at = now()
    where b.id = target_batch_id
    returning b.status into batch_status;
    return batch_status;
end
$$;

-- One row for each batch, always with planned = accepted + failed + cancelled + running + queued: what a worker holds
-- beyond the calls that it may make is leased ahead and counts as queued. Pace is measured over what was judged last, since the batch was last resumed: a pause is no part of it. `needed_budget_usd` is the
-- least budget with which a paused batch can go on, null where its budget does not hold it back.
create or replace view public.batch_progress with (security_invoker = true) as
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

revoke all on public.batch_totals, public.batch_trend, public.batch_stop_reasons, public.batch_workers from anon, authenticated;
grant select on public.batch_totals, public.batch_trend, public.batch_stop_reasons, public.batch_workers to authenticated;
revoke execute on function
    public.count_new_items(), public.count_changed_items(), public.count_new_attempts(), public.check_canary(public.batches),
    public.grant_slots(uuid, text, integer, integer, double precision), public.leave_batch(uuid, text),
    public.lease_items(uuid, text, integer, double precision, integer, integer),
    public.find_next_available(uuid, integer), public.find_batches_to_help(), public.list_batches_to_help(text)
    from public, anon, authenticated;
grant execute on function
    public.count_new_items(), public.count_changed_items(), public.count_new_attempts(), public.check_canary(public.batches),
    public.grant_slots(uuid, text, integer, integer, double precision), public.leave_batch(uuid, text),
    public.lease_items(uuid, text, integer, double precision, integer, integer),
    public.find_next_available(uuid, integer), public.find_batches_to_help(), public.list_batches_to_help(text)
    to service_role;
