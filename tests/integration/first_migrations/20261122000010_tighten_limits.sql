-- Leasing: an item comes with the time that its earlier attempts have taken, for the cap on the time of retries; and nothing beyond
-- a canary is leased while one of the canary's items is open, not even while it waits for its next try.

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
    end_position integer;
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
    -- Only items before this position may run now; null: all.
    end_position := case when exists (
        select 1 from public.batch_items i
        where i.batch_id = target_batch_id and i.position < batch.canary_items and i.status in ('queued', 'processing')
    ) then batch.canary_items end;
    if batch.status in ('queued', 'processing') then
        select count(*) into in_flight from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'processing';
        with picked as (
            select i.id from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'queued' and i.available_at <= now()
                and (end_position is null or i.position < end_position)
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
            from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'queued'
                and (end_position is null or i.position < end_position)
        )
    );
end
$$;

-- Says how many more items a batch may lease: none beyond its canary until that has passed, none beyond its budget. Pauses
-- the batch where the canary failed or the budget is reached. The caller holds the batch's row lock.
create or replace function public.check_limits(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    batch public.batches;
    accepted integer;
    failed integer;
    in_flight integer;
    spent numeric;
    paid_calls integer;
    unpriced_replies integer;
    expected numeric;
    allowed integer := 1000000;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id;
    if batch.canary_items > 0 then
        select count(*) filter (where i.status = 'completed'), count(*) filter (where i.status = 'failed'),
            count(*) filter (where i.status = 'processing')
        into accepted, failed, in_flight
        from public.batch_items i where i.batch_id = target_batch_id and i.position < batch.canary_items;
        if accepted + failed < least(batch.canary_items, (
            select count(*) from public.batch_items i where i.batch_id = target_batch_id
        )) then
            allowed := (
                select count(*) from public.batch_items i
                where i.batch_id = target_batch_id and i.position < batch.canary_items and i.status = 'queued'
            );
        elsif failed > batch.breaker_share * least(batch.canary_items, accepted + failed) and not exists (
            -- Resumed since the canary ended: somebody has looked at it.
            select 1 from public.batch_items i
            where i.batch_id = target_batch_id and i.position < batch.canary_items
            having max(i.finished_at) < batch.watched_since
        ) then
            perform public.pause_batch(target_batch_id, format(
                'Paused by itself: %s of the %s canary items failed (more than %s %%). Look at the failures, then resume or cancel.',
                failed, accepted + failed, round((batch.breaker_share * 100)::numeric)));
            return 0;
        end if;
    end if;
    if batch.budget_usd is not null then
        select coalesce(sum(a.cost_usd), 0), count(a.cost_usd),
            count(*) filter (where a.cost_usd is null and a.stop_reason is not null)
        into spent, paid_calls, unpriced_replies
        from public.generation_attempts a where a.batch_id = target_batch_id;
        select count(*) into in_flight from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'processing';
        -- What a call costs here so far; before the first, the estimate's share.
        expected := case
            when paid_calls > 0 then spent / paid_calls
            else coalesce(batch.estimated_cost_usd / nullif((
                select count(*) from public.batch_items i where i.batch_id = target_batch_id
            ), 0), 0)
        end;
        -- A reply whose price is not known was not free.
        spent := spent + unpriced_replies * expected;
        if spent >= batch.budget_usd or (in_flight = 0 and spent + expected > batch.budget_usd) then
            perform public.pause_batch(target_batch_id, format(
                'Paused by itself: the budget of $%s is reached ($%s spent, about $%s a call). Raise it or cancel.',
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

-- A retry has the estimate of its share of the batch, so that its budget holds from the first call on.
create or replace function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
    planned integer;
begin
    select b.* into old_batch from public.batches b where b.id = target_batch_id and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if not exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'No item of this batch has failed; there is nothing to retry.');
    end if;
    if changes ->> 'template_id' is not null then
        select t.* into template from public.prompt_templates t
        where t.id = (changes ->> 'template_id')::uuid and t.is_active;
        if not found or not old_batch.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, retry_of, selection, snapshot, created_by, estimated_cost_usd, estimated_seconds
    )
    select coalesce(changes ->> 'name', 'Retry of ' || old_batch.name), old_batch.conversation_category,
        coalesce(changes ->> 'model', old_batch.model),
        coalesce((changes ->> 'max_tokens')::integer, old_batch.max_tokens),
        case when changes ? 'effort' then changes ->> 'effort' else old_batch.effort end,
        coalesce((changes ->> 'structured_outputs')::boolean, old_batch.structured_outputs),
        old_batch.concurrency, old_batch.error_handling, old_batch.raise_max_tokens, old_batch.budget_usd,
        target_batch_id, old_batch.selection,
        case when template.id is null then old_batch.snapshot
            else jsonb_set(old_batch.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        old_batch.created_by, old_batch.estimated_cost_usd * share.retried::numeric, old_batch.estimated_seconds * share.retried
    from (
        select count(*) filter (where i.status = 'failed')::double precision / count(*) as retried
        from public.batch_items i where i.batch_id = target_batch_id
    ) share
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, row_number() over (order by i.position) - 1, i.persona_id, i.emotional_arc_id,
        i.training_topic_id,
        case when i.emotional_arc_id = template.emotional_arc_id then template.id else i.template_id end, i.tier, i.created_by
    from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed';
    get diagnostics planned = row_count;
    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
end
$$;
