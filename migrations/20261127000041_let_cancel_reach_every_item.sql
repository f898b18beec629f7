-- A batch that has ended leaves no item open: not one whose worker is dead, and not one whose worker lives but never comes back.

alter table public.batches add column stopped_at timestamptz;
comment on column public.batches.stopped_at is 'When it was cancelled or stopped by a failure; calls that ran then may still end';

-- Ends a batch early: nothing more is leased, what is in flight is still recorded. Items of lost workers are taken back at once, so
-- that the end does not wait for a reconciler.
create or replace function public.stop_batch(target_batch_id uuid, new_status text, reason text) returns void
language plpgsql set search_path = ''
as $$
begin
    update public.batches b set status = new_status, status_reason = reason, stopped_at = now(), updated_at = now()
    where b.id = target_batch_id and b.status in ('queued', 'processing', 'paused');
    if found then
        perform public.reclaim_items(target_batch_id);
        update public.batch_items i set status = 'cancelled', finished_at = now()
        where i.batch_id = target_batch_id and i.status = 'queued';
        perform public.settle_batch(target_batch_id);
    end if;
end
$$;

-- Says that a worker still works on its items; returns the ids of those whose lease is still its own. In a batch that was stopped,
-- calls have ten minutes to end: then their leases run out, and reconciling cancels the items. A reply that comes even later is
-- recorded all the same, since it has been paid for (take_leased_item).
create or replace function public.extend_leases(target_batch_id uuid, lease_tokens uuid[], lease_seconds double precision)
returns jsonb
language sql security definer set search_path = ''
as $$
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

revoke execute on function
    public.stop_batch(uuid, text, text), public.extend_leases(uuid, uuid[], double precision)
    from public, anon, authenticated;
grant execute on function public.extend_leases(uuid, uuid[], double precision) to service_role;
