-- Work: how workers lease a batch's items, keep them, give them back, and how a batch comes to its end. Each function
-- locks the batch's row first, so that `concurrency` holds over all workers.

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

-- Notes how many calls may be in flight now, and why that changed last.
create function public.set_pace(target_batch_id uuid, new_limit integer, reason text) returns void
language sql security definer set search_path = ''
as $$
    update public.batches b
    set pace_limit = new_limit, pace_reason = reason, pace_changed_at = now(), updated_at = now()
    where b.id = target_batch_id
$$;

-- Notes that a worker still works on its items; returns the ids of those that are still leased to it. In a stopped
-- batch calls have ten minutes to end: then their leases run out, and reconciling cancels the items. A reply that
-- comes even later is recorded all the same, since it has been paid for (take_leased_item).
create function public.extend_leases(target_batch_id uuid, lease_tokens uuid[], lease_seconds double precision)
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

-- Gives a leased item back: after a call that is to be tried again (its attempt is recorded, the item waits
-- `delay_seconds`), or untouched when a worker leaves (no attempt).
create function public.release_item(
    item_id uuid, lease_token uuid, attempt jsonb, delay_seconds double precision, raised_max_tokens integer default null
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    item public.batch_items := public.take_leased_item(item_id, lease_token);
    batch_has_ended boolean;
begin
    if item.id is null then
        return public.record_superseded(item_id, attempt);
    end if;
    if attempt is not null and jsonb_typeof(attempt) = 'object' then
        perform public.insert_attempt(item, attempt, 'retried');
        update public.batch_items i set lost_leases = 0 where i.id = item.id;
    end if;
    select b.status in ('completed', 'failed', 'cancelled') into batch_has_ended
    from public.batches b where b.id = item.batch_id;
    update public.batch_items i
    set status = case when batch_has_ended then 'cancelled' else 'queued' end,
        finished_at = case when batch_has_ended then now() end,
        available_at = now() + make_interval(secs => delay_seconds),
        max_tokens = coalesce(raised_max_tokens, i.max_tokens),
        lease_token = null, lease_expires_at = null, leased_by = null
    where i.id = item.id;
    return jsonb_build_object('outcome', 'recorded', 'batch_status', public.settle_batch(item.batch_id));
end
$$;

-- Takes back the items of workers that are gone: to the queue, or, where the batch has ended, as cancelled.
create function public.reclaim_items(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    reclaimed integer;
begin
    update public.batch_items i
    set status = case when b.status in ('completed', 'failed', 'cancelled') then 'cancelled' else 'queued' end,
        finished_at = case when b.status in ('completed', 'failed', 'cancelled') then now() end,
        available_at = now(), lost_leases = i.lost_leases + 1, last_lease_token = i.lease_token, lease_token = null, lease_expires_at = null,
        leased_by = null
    from public.batches b
    where b.id = i.batch_id and i.batch_id = target_batch_id and i.status = 'processing' and i.lease_expires_at < now();
    get diagnostics reclaimed = row_count;
    return reclaimed;
end
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
create function public.reconcile_batches() returns jsonb
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

-- Names the batches that this worker could help and does not work on yet: the oldest of each analyst before the second of
-- anybody, so that whoever has many open ones keeps nobody else waiting.
create function public.list_batches_to_help(worker text) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(o.id order by o.place, o.created_at), '[]') from (
        select h.id, h.created_at, row_number() over (partition by b.created_by order by h.created_at) as place
        from public.find_batches_to_help() h join public.batches b on b.id = h.id
        where not exists (
            select 1 from public.batch_workers w
            where w.batch_id = h.id and w.worker = list_batches_to_help.worker and w.expires_at >= now()
        )
        order by place, h.created_at limit 100
    ) o
$$;

-- Sets a batch's final status when none of its items is open; returns its status.
create function public.settle_batch(target_batch_id uuid) returns text
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
