-- The worker's side: lease items, record what came of them, settle batches. All of it for the service role only.
--
-- Whoever changes the items of a batch locks the batch's row first, so two workers that close the last two items at the same
-- moment cannot both miss that the batch is done, and `concurrency` holds over all workers of a batch.

-- Sets a batch's final status when no item is open any more; returns its status.
create function public.settle_batch(target_batch_id uuid) returns text
language plpgsql set search_path = ''
as $$
declare
    batch_status text;
    accepted integer;
    failed integer;
begin
    select b.status into batch_status from public.batches b where b.id = target_batch_id for update;
    if batch_status is null or exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status in ('queued', 'processing')
    ) then
        return batch_status;
    end if;
    if batch_status in ('completed', 'failed', 'cancelled') then
        update public.batches b set completed_at = now(), updated_at = now()
        where b.id = target_batch_id and b.completed_at is null;
        return batch_status;
    end if;
    select count(*) filter (where i.status = 'completed'), count(*) filter (where i.status = 'failed')
    into accepted, failed
    from public.batch_items i where i.batch_id = target_batch_id;
    update public.batches b
    set status = case when accepted = 0 and failed > 0 then 'failed' else 'completed' end,
        status_reason = case when accepted = 0 and failed > 0 then 'No conversation was accepted.' end,
        completed_at = now(), updated_at = now()
    where b.id = target_batch_id
    returning b.status into batch_status;
    return batch_status;
end
$$;

-- Ends a batch early: nothing more is leased, what is in flight is still recorded.
create function public.stop_batch(target_batch_id uuid, new_status text, reason text) returns void
language plpgsql set search_path = ''
as $$
begin
    update public.batches b set status = new_status, status_reason = reason, updated_at = now()
    where b.id = target_batch_id and b.status in ('queued', 'processing', 'paused');
    if found then
        update public.batch_items i set status = 'cancelled', finished_at = now()
        where i.batch_id = target_batch_id and i.status = 'queued';
        perform public.settle_batch(target_batch_id);
    end if;
end
$$;

-- Puts items of lost workers back: to the queue, or, where the batch has ended, to the cancelled ones.
create function public.reclaim_items(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    reclaimed integer;
begin
    update public.batch_items i
    set status = case when b.status in ('completed', 'failed', 'cancelled') then 'cancelled' else 'queued' end,
        finished_at = case when b.status in ('completed', 'failed', 'cancelled') then now() end,
        available_at = now(), last_lease_token = i.lease_token, lease_token = null, lease_expires_at = null,
        leased_by = null
    from public.batches b
    where b.id = i.batch_id and i.batch_id = target_batch_id and i.status = 'processing' and i.lease_expires_at < now();
    get diagnostics reclaimed = row_count;
    return reclaimed;
end
$$;

-- Pauses a batch by itself, and says why; running calls finish.
create function public.pause_batch(target_batch_id uuid, reason text) returns void
language sql set search_path = ''
as $$
    update public.batches b set status = 'paused', status_reason = reason, updated_at = now()
    where b.id = target_batch_id and b.status in ('queued', 'processing')
$$;

-- Looks at a batch after one of its items closed. The caller holds the batch's row lock.
create function public.check_breaker(target_batch_id uuid) returns void
language plpgsql set search_path = ''
as $$
declare
    batch public.batches;
    closed integer;
    failed integer;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id;
    if batch.status not in ('queued', 'processing') then
        return;
    end if;
    select count(*), count(*) filter (where r.status = 'failed') into closed, failed
    from (
        select i.status from public.batch_items i
        where i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at >= batch.watched_since
        order by i.finished_at desc limit batch.breaker_window
    ) r;
    if closed >= batch.breaker_window and failed > batch.breaker_share * closed then
        perform public.pause_batch(target_batch_id, format(
            'Paused by itself: %s of the last %s items failed (more than %s %%). Look at the failures, then resume or cancel.',
            failed, closed, round((batch.breaker_share * 100)::numeric)));
    end if;
end
$$;

-- Says how many more items a batch may lease: none beyond its canary until that has passed, none beyond its budget. Pauses
-- the batch where the canary failed or the budget is reached. The caller holds the batch's row lock.
create function public.check_limits(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    batch public.batches;
    accepted integer;
    failed integer;
    in_flight integer;
    spent numeric;
    paid_calls integer;
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
        elsif failed > batch.breaker_share * batch.canary_items and batch.watched_since <= batch.created_at then
            perform public.pause_batch(target_batch_id, format(
                'Paused by itself: %s of the %s canary items failed (more than %s %%). Look at the failures, then resume or cancel.',
                failed, batch.canary_items, round((batch.breaker_share * 100)::numeric)));
            return 0;
        end if;
    end if;
    if batch.budget_usd is not null then
        select coalesce(sum(a.cost_usd), 0), count(a.cost_usd) into spent, paid_calls
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

-- Leases up to `wanted` items, never more in flight than the batch's concurrency over all workers.
-- Returns {"status", "items": [...], "open", "next_available_in_seconds"}; status is null where there is no such batch.
create function public.lease_items(target_batch_id uuid, worker text, wanted integer, lease_seconds double precision)
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
            'attempt_number', 1 + (
                select count(*) from public.generation_attempts a where a.batch_item_id = t.id
            )
        ) order by t.position), '[]') into leased
        from taken t;
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

-- Notes how many calls may be in flight now, and why that changed last.
create function public.set_pace(target_batch_id uuid, new_limit integer, reason text) returns void
language sql security definer set search_path = ''
as $$
    update public.batches b
    set pace_limit = new_limit, pace_reason = reason, pace_changed_at = now(), updated_at = now()
    where b.id = target_batch_id
$$;

-- Says that a worker still works on its items; returns the ids of those whose lease is still its own.
create function public.extend_leases(target_batch_id uuid, lease_tokens uuid[], lease_seconds double precision)
returns jsonb
language sql security definer set search_path = ''
as $$
    with extended as (
        update public.batch_items i set lease_expires_at = now() + make_interval(secs => lease_seconds)
        where i.batch_id = target_batch_id and i.status = 'processing' and i.lease_token = any (lease_tokens)
        returning i.id
    )
    select jsonb_build_object(
        'status', (select b.status from public.batches b where b.id = target_batch_id),
        'item_ids', coalesce((select jsonb_agg(e.id) from extended e), '[]')
    )
$$;

-- Appends an attempt row under the id that the worker gave it; returns that id.
create function public.insert_attempt(item public.batch_items, attempt jsonb, attempt_outcome text) returns uuid
language sql set search_path = ''
as $$
    insert into public.generation_attempts (
        id, batch_id, batch_item_id, attempt_number, outcome, model, max_tokens, temperature, effort, structured_outputs,
        prompt_length, stop_reason, failure_type, failure_pattern, http_status, request_id, input_tokens, output_tokens,
        cache_creation_input_tokens, cache_read_input_tokens, cost_usd, duration_ms, wait_ms, response_headers,
        response_body, response_body_encoding, error_type, error_message, simulated, worker, created_by, started_at
    )
    select a.id, item.batch_id, item.id,
        1 + (select count(*) from public.generation_attempts g where g.batch_item_id = item.id),
        attempt_outcome, a.model, a.max_tokens, a.temperature, a.effort, a.structured_outputs, a.prompt_length,
        a.stop_reason, a.failure_type, a.failure_pattern, a.http_status, a.request_id, a.input_tokens, a.output_tokens,
        a.cache_creation_input_tokens, a.cache_read_input_tokens, a.cost_usd, a.duration_ms, coalesce(a.wait_ms, 0),
        coalesce(a.response_headers, '{}'), a.response_body, a.response_body_encoding, a.error_type, a.error_message,
        a.simulated, a.worker, item.created_by, a.started_at
    from jsonb_to_record(attempt) as a(
        id uuid, model text, max_tokens integer, temperature numeric, effort text, structured_outputs boolean,
        prompt_length integer, stop_reason text, failure_type text, failure_pattern text, http_status integer,
        request_id text, input_tokens integer, output_tokens integer, cache_creation_input_tokens integer,
        cache_read_input_tokens integer, cost_usd numeric, duration_ms integer, wait_ms integer, response_headers jsonb,
        response_body text, response_body_encoding text, error_type text, error_message text, simulated boolean,
        worker text, started_at timestamptz
    )
    returning id
$$;

-- Locks the item that a worker brings a result for. Returns null where the lease is lost: it ran out and someone else has
-- taken the item since. A lease that ran out while nobody else came (the database was away) still counts, since the reply
-- has been paid for.
create function public.take_leased_item(target_item_id uuid, token uuid) returns public.batch_items
language plpgsql set search_path = ''
as $$
declare
    item public.batch_items;
begin
    perform 1 from public.batches b
    where b.id = (select i.batch_id from public.batch_items i where i.id = target_item_id) for update;
    select i.* into item from public.batch_items i
    where i.id = target_item_id and (
        (i.status = 'processing' and i.lease_token = token)
        or (i.status in ('queued', 'cancelled') and i.last_lease_token = token)
    ) for update;
    return item;
end
$$;

-- What to answer where the item is not this worker's any more. A result that came before (the answer was lost on its way)
-- is recorded already. Else someone else has the item: the attempt is kept all the same, since its reply has been paid for.
create function public.record_superseded(target_item_id uuid, attempt jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    item public.batch_items;
begin
    if exists (select 1 from public.generation_attempts a where a.id = (attempt ->> 'id')::uuid) then
        return jsonb_build_object('outcome', 'recorded', 'batch_status', (
            select b.status from public.batches b join public.batch_items i on i.batch_id = b.id
            where i.id = target_item_id
        ));
    end if;
    select i.* into item from public.batch_items i where i.id = target_item_id;
    if item.id is not null and jsonb_typeof(attempt) = 'object' then
        perform public.insert_attempt(item, attempt, 'superseded');
    end if;
    return jsonb_build_object('outcome', 'lease_lost');
end
$$;

-- Records an accepted reply: attempt and conversation, and closes the item.
create function public.record_success(item_id uuid, lease_token uuid, attempt jsonb, conversation jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    item public.batch_items := public.take_leased_item(item_id, lease_token);
    batch public.batches;
    attempt_id uuid;
    conversation_id uuid;
begin
    if item.id is null then
        return public.record_superseded(item_id, attempt);
    end if;
    select b.* into batch from public.batches b where b.id = item.batch_id;
    attempt_id := public.insert_attempt(item, attempt, 'accepted');
    insert into public.conversations (
        batch_id, batch_item_id, attempt_id, name, conversation_category, tier, turns, metadata, starting_emotion,
        starting_intensity, ending_emotion, ending_intensity, persona_id, emotional_arc_id, training_topic_id,
        template_id, scaffolding_snapshot, model, stop_reason, input_tokens, output_tokens, cost_usd, simulated, created_by
    )
    select item.batch_id, item.id, attempt_id,
        concat_ws(' · ', batch.snapshot -> 'personas' -> item.persona_id::text ->> 'name',
            batch.snapshot -> 'arcs' -> item.emotional_arc_id::text ->> 'name',
            batch.snapshot -> 'topics' -> item.training_topic_id::text ->> 'name'),
        batch.conversation_category, item.tier, c.turns, c.metadata, c.starting_emotion, c.starting_intensity,
        c.ending_emotion, c.ending_intensity, item.persona_id, item.emotional_arc_id, item.training_topic_id,
        item.template_id,
        jsonb_build_object(
            'persona', batch.snapshot -> 'personas' -> item.persona_id::text,
            'emotional_arc', batch.snapshot -> 'arcs' -> item.emotional_arc_id::text,
            'training_topic', batch.snapshot -> 'topics' -> item.training_topic_id::text,
            'template', (batch.snapshot -> 'templates' -> item.template_id::text) - 'system_prompt' - 'user_prompt'
        ),
        attempt ->> 'model', attempt ->> 'stop_reason', (attempt ->> 'input_tokens')::integer,
        (attempt ->> 'output_tokens')::integer, (attempt ->> 'cost_usd')::numeric, (attempt ->> 'simulated')::boolean,
        item.created_by
    from jsonb_to_record(conversation) as c(
        turns jsonb, metadata jsonb, starting_emotion text, starting_intensity double precision, ending_emotion text,
        ending_intensity double precision
    )
    returning id into conversation_id;
    update public.batch_items i
    set status = 'completed', finished_at = now(), lease_token = null, lease_expires_at = null, leased_by = null
    where i.id = item.id;
    return jsonb_build_object('outcome', 'recorded', 'conversation_id', conversation_id,
        'batch_status', public.settle_batch(item.batch_id));
end
$$;

-- Records a reply or call that was not accepted: attempt and failed generation, and closes the item. With
-- error_handling = 'stop', or a `stop_reason_for_batch` in the failure (a fatal error), the batch ends here.
create function public.record_failure(item_id uuid, lease_token uuid, attempt jsonb, failure jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    item public.batch_items := public.take_leased_item(item_id, lease_token);
    attempt_id uuid;
    failure_id uuid := coalesce((failure ->> 'id')::uuid, gen_random_uuid());
    stops_for text := failure ->> 'stop_reason_for_batch';
begin
    if item.id is null then
        return public.record_superseded(item_id, attempt);
    end if;
    -- A failure before any call (a template that does not render) has no attempt.
    if attempt is not null and jsonb_typeof(attempt) = 'object' then
        attempt_id := public.insert_attempt(item, attempt, 'failed');
    end if;
    insert into public.failed_generations (
        id, run_id, batch_item_id, attempt_id, prompt, prompt_length, model, max_tokens, temperature, effort,
        structured_outputs_enabled, raw_response, response_content, stop_reason, input_tokens, output_tokens, failure_type,
        truncation_pattern, truncation_details, confidence, turn_index, error_message, error_stack, created_by, persona_id,
        emotional_arc_id, training_topic_id, template_id, request_id, cost_usd, attempt_count, simulated
    )
    select failure_id, item.batch_id, item.id, attempt_id, f.prompt, length(f.prompt), f.model, f.max_tokens, f.temperature,
        f.effort, f.structured_outputs_enabled, f.raw_response, f.response_content, f.stop_reason, f.input_tokens,
        f.output_tokens, f.failure_type, f.truncation_pattern, f.truncation_details, f.confidence, f.turn_index,
        f.error_message, f.error_stack, item.created_by, item.persona_id, item.emotional_arc_id, item.training_topic_id,
        item.template_id, f.request_id, f.cost_usd,
        (select count(*) from public.generation_attempts a where a.batch_item_id = item.id), f.simulated
    from jsonb_to_record(failure) as f(
        prompt text, model text, max_tokens integer, temperature numeric, effort text, structured_outputs_enabled boolean,
        raw_response jsonb, response_content text, stop_reason text, input_tokens integer, output_tokens integer,
        failure_type text, truncation_pattern text, truncation_details text, confidence text, turn_index integer,
        error_message text, error_stack text, request_id text, cost_usd numeric, simulated boolean
    );
    update public.batch_items i
    set status = 'failed', finished_at = now(), lease_token = null, lease_expires_at = null, leased_by = null
    where i.id = item.id;
    if stops_for is null and (select b.error_handling from public.batches b where b.id = item.batch_id) = 'stop' then
        stops_for := format('Stopped at the first failed item (%s), as this batch asks.', failure ->> 'failure_type');
    end if;
    if stops_for is not null then
        perform public.stop_batch(item.batch_id, 'failed', stops_for);
    end if;
    perform public.check_breaker(item.batch_id);
    return jsonb_build_object('outcome', 'recorded', 'failed_generation_id', failure_id,
        'batch_status', public.settle_batch(item.batch_id));
end
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

-- Records several results in one call, in order: [{"kind": "success" | "failure" | "release", "item_id", "lease_token",
-- "attempt", "conversation" | "failure" | "delay_seconds" [and "raised_max_tokens"]}]; returns their outcomes in the same order.
create function public.record_results(results jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    result jsonb;
    outcomes jsonb := '[]';
begin
    for result in select r from jsonb_array_elements(results) r loop
        outcomes := outcomes || case result ->> 'kind'
            when 'success' then public.record_success((result ->> 'item_id')::uuid, (result ->> 'lease_token')::uuid,
                result -> 'attempt', result -> 'conversation')
            when 'failure' then public.record_failure((result ->> 'item_id')::uuid, (result ->> 'lease_token')::uuid,
                result -> 'attempt', result -> 'failure')
            when 'release' then public.release_item((result ->> 'item_id')::uuid, (result ->> 'lease_token')::uuid,
                result -> 'attempt', coalesce((result ->> 'delay_seconds')::double precision, 0),
                (result ->> 'raised_max_tokens')::integer)
        end;
    end loop;
    return outcomes;
end
$$;

-- Settles what lost workers left and names the batches that need a worker: open, with an item that can be leased now.
create function public.reconcile_batches() returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    stale uuid;
begin
    for stale in
        select distinct i.batch_id from public.batch_items i where i.status = 'processing' and i.lease_expires_at < now()
    loop
        perform 1 from public.batches b where b.id = stale for update;
        perform public.reclaim_items(stale);
        perform public.settle_batch(stale);
    end loop;
    return coalesce((
        select jsonb_agg(b.id order by b.created_at) from public.batches b
        where b.status in ('queued', 'processing') and exists (
            select 1 from public.batch_items i
            where i.batch_id = b.id and i.status = 'queued' and i.available_at <= now()
        )
    ), '[]');
end
$$;

revoke execute on function
    public.settle_batch(uuid), public.stop_batch(uuid, text, text), public.reclaim_items(uuid),
    public.lease_items(uuid, text, integer, double precision),
    public.extend_leases(uuid, uuid[], double precision),
    public.insert_attempt(public.batch_items, jsonb, text), public.take_leased_item(uuid, uuid),
    public.record_superseded(uuid, jsonb),
    public.record_success(uuid, uuid, jsonb, jsonb), public.record_failure(uuid, uuid, jsonb, jsonb),
    public.release_item(uuid, uuid, jsonb, double precision, integer), public.record_results(jsonb),
    public.reconcile_batches(), public.pause_batch(uuid, text), public.check_breaker(uuid), public.check_limits(uuid),
    public.set_pace(uuid, integer, text)
    from public, anon, authenticated;
grant execute on function
    public.lease_items(uuid, text, integer, double precision),
    public.extend_leases(uuid, uuid[], double precision),
    public.record_success(uuid, uuid, jsonb, jsonb), public.record_failure(uuid, uuid, jsonb, jsonb),
    public.release_item(uuid, uuid, jsonb, double precision, integer), public.record_results(jsonb),
    public.reconcile_batches(), public.pause_batch(uuid, text), public.set_pace(uuid, integer, text)
    to service_role;
