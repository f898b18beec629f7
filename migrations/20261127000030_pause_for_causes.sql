-- A batch pauses for what lets no call succeed, and for what fails every item in the same way, before it has cost its items.

-- Records a reply or call that was not accepted: attempt and failed generation, and closes the item. `stop_reason_for_batch` in the
-- failure names what lets no call of the batch succeed until somebody acts (a rejected key, a spend limit, a wrong address): the
-- batch is paused with it. Items whose calls were in flight meet the same wall: they go back to the queue, with their attempts
-- recorded, so that a pause costs one item, which carries the evidence. With error_handling = 'stop' any other failure ends the
-- batch.
create or replace function public.record_failure(item_id uuid, lease_token uuid, attempt jsonb, failure jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    item public.batch_items := public.take_leased_item(item_id, lease_token);
    batch public.batches;
    attempt_id uuid;
    failure_id uuid := coalesce((failure ->> 'id')::uuid, gen_random_uuid());
    stops_for text := failure ->> 'stop_reason_for_batch';
begin
    if item.id is null then
        return public.record_superseded(item_id, attempt);
    end if;
    select b.* into batch from public.batches b where b.id = item.batch_id;
    if stops_for is not null and batch.status not in ('queued', 'processing') then
        return public.release_item(item_id, lease_token, attempt, 0);
    end if;
    -- A failure before any call (a template that does not render, workers that were killed) has no attempt.
    if attempt is not null and jsonb_typeof(attempt) = 'object' then
        attempt_id := public.insert_attempt(item, attempt, 'failed');
    end if;
    insert into public.failed_generations (
        id, run_id, batch_item_id, attempt_id, prompt, prompt_length, model, max_tokens, temperature, effort,
        structured_outputs_enabled, raw_response, response_content, stop_reason, input_tokens, output_tokens, failure_type,
        truncation_pattern, truncation_details, confidence, turn_index, error_message, error_stack, created_by, persona_id,
        emotional_arc_id, training_topic_id, template_id, request_id, cost_usd, attempt_count, simulated,
        fingerprint
    )
    select failure_id, item.batch_id, item.id, attempt_id, f.prompt, length(f.prompt), f.model, f.max_tokens, f.temperature,
        f.effort, f.structured_outputs_enabled, f.raw_response, f.response_content, f.stop_reason, f.input_tokens,
        f.output_tokens, f.failure_type, f.truncation_pattern, f.truncation_details, f.confidence, f.turn_index,
        f.error_message, f.error_stack, item.created_by, item.persona_id, item.emotional_arc_id, item.training_topic_id,
        item.template_id, f.request_id, f.cost_usd,
        (select count(*) from public.generation_attempts a where a.batch_item_id = item.id), f.simulated,
        f.fingerprint
    from jsonb_to_record(failure) as f(
        prompt text, model text, max_tokens integer, temperature numeric, effort text, structured_outputs_enabled boolean,
        raw_response jsonb, response_content text, stop_reason text, input_tokens integer, output_tokens integer,
        failure_type text, truncation_pattern text, truncation_details text, confidence text, turn_index integer,
        error_message text, error_stack text, request_id text, cost_usd numeric, simulated boolean,
        fingerprint text
    );
    update public.batch_items i
    set status = 'failed', finished_at = now(), lease_token = null, lease_expires_at = null, leased_by = null
    where i.id = item.id;
    if stops_for is not null then
        perform public.pause_batch(item.batch_id, 'Paused automatically: ' || stops_for);
    elsif batch.error_handling = 'stop' then
        perform public.stop_batch(item.batch_id, 'failed',
            format('Stopped at the first failed item (%s), as this batch asks.', failure ->> 'failure_type'));
    end if;
    perform public.check_breaker(item.batch_id);
    return jsonb_build_object('outcome', 'recorded', 'failed_generation_id', failure_id,
        'batch_status', public.settle_batch(item.batch_id));
end
$$;

-- Looks at a batch after one of its items failed, and pauses it where it is not worth going on. The caller holds the batch's row lock.
-- Two signs, both among the items closed since somebody looked last:
-- the last three failed in the same way, nothing was accepted, and what failed them was no text of Claude's (no reply came, a limit
-- cut it, or our own code raised): then it is a setting, a template or the service, and the next item would fail alike;
-- or more than a share of the last twenty failed, in whatever way.
create or replace function public.check_breaker(target_batch_id uuid) returns void
language plpgsql set search_path = ''
as $$
declare
    alike constant integer := 3;
    batch public.batches;
    closed integer;
    failed integer;
    signatures integer;
    message text;
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
            'Paused automatically: %s of the last %s items failed (more than %s %%). Look at the failures, then resume or cancel.',
            failed, closed, round((batch.breaker_share * 100)::numeric)));
        return;
    end if;
    if failed < alike or failed < closed or exists (
        select 1 from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'completed' and i.finished_at >= batch.watched_since
    ) then
        return;
    end if;
    select count(*), count(distinct f.fingerprint), max(coalesce(f.error_message, f.truncation_details))
    into failed, signatures, message
    from (
        select i.id from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'failed' and i.finished_at >= batch.watched_since
        order by i.finished_at desc limit alike
    ) r
    join public.failed_generations f on f.batch_item_id = r.id
    where f.fingerprint is not null and (
        f.stop_reason is null or f.stop_reason in ('max_tokens', 'model_context_window_exceeded') or f.error_stack is not null
    );
    if failed = alike and signatures = 1 then
        message := regexp_replace(coalesce(message, 'no message'), '\s+', ' ', 'g');
        perform public.pause_batch(target_batch_id, format(
            'Paused automatically: %s items failed in the same way and none was accepted (%s). '
            'Change what it names (settings, template), or cancel; resume to try on.',
            alike, case when length(message) <= 140 then message else left(message, 139) || '…' end));
    end if;
end
$$;

revoke execute on function public.record_failure(uuid, uuid, jsonb, jsonb), public.check_breaker(uuid)
    from public, anon, authenticated;
grant execute on function public.record_failure(uuid, uuid, jsonb, jsonb) to service_role;
