-- Who changes items of a batch locks the batch first, and several batches by their ids, so that nobody waits for each other;
-- and a worker that could not say that it left a batch may come back to it.

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
create or replace function public.list_batches_to_help(worker text) returns jsonb
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
