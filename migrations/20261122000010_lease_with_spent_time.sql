-- An item is leased with the time that its earlier attempts have taken, for the cap on the time of retries.

-- Leases up to `wanted` items, never more in flight than the batch's concurrency over all workers.
-- Returns {"status", "items": [...], "open", "next_available_in_seconds"}; status is null where there is no such batch.
create or replace function public.lease_items(target_batch_id uuid, worker text, wanted integer, lease_seconds double precision)
returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    batch public.batches;
    in_flight integer;
    allowed integer := 0;
    leased jsonb := '[]';
begin
    select b.* into batch from public.batches b where b.id = target_batch_id for update;
    if not found then
        return jsonb_build_object('status', null, 'items', leased, 'open', 0, 'next_available_in_seconds', null);
    end if;
    perform public.reclaim_items(target_batch_id);
    if batch.status in ('queued', 'processing') then
        allowed := public.check_limits(target_batch_id);
        select b.* into batch from public.batches b where b.id = target_batch_id;
    end if;
    if batch.status in ('queued', 'processing') then
        select count(*) into in_flight from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'processing';
        with picked as (
            select i.id from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'queued' and i.available_at <= now()
            order by i.available_at, i.position
            limit greatest(least(wanted, allowed, least(batch.concurrency, batch.pace_limit) - in_flight), 0)
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
            'template_id', t.template_id, 'max_tokens', t.max_tokens,
            'attempt_number', 1 + earlier.attempts, 'spent_seconds', earlier.spent_seconds
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
    return jsonb_build_object(
        'status', batch.status,
        'items', leased,
        'open', (
            select count(*) from public.batch_items i
            where i.batch_id = target_batch_id and i.status in ('queued', 'processing')
        ),
        'next_available_in_seconds', (
            select greatest(extract(epoch from min(i.available_at) - now()), 0)::double precision
            from public.batch_items i where i.batch_id = target_batch_id and i.status = 'queued'
        )
    );
end
$$;
