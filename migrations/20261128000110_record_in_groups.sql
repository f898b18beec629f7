-- Results are recorded as a group: what a group of accepted replies has in common is read once, not once for each.

drop function public.record_success(uuid, uuid, jsonb, jsonb);
drop trigger note_closed_item on public.batch_items;
drop function public.note_closed_item();
alter function public.describe_outcomes(uuid[]) rows 20;

-- Appends attempts under the ids that workers gave them: [{"item_id", "outcome", "attempt"}].
create function public.insert_attempts(given jsonb) returns void
language sql set search_path = ''
as $$
    insert into public.generation_attempts (
        id, batch_id, batch_item_id, attempt_number, outcome, model, max_tokens, temperature, effort, structured_outputs,
        prompt_length, stop_reason, failure_type, failure_pattern, http_status, request_id, input_tokens, output_tokens,
        cache_creation_input_tokens, cache_read_input_tokens, cost_usd, duration_ms, wait_ms, response_headers,
        response_body, response_body_encoding, error_type, error_message, simulated, worker, created_by, started_at
    )
    select a.id, i.batch_id, i.id,
        1 + (select count(*) from public.generation_attempts g where g.batch_item_id = i.id),
        r.outcome, a.model, a.max_tokens, a.temperature, a.effort, a.structured_outputs, a.prompt_length,
        a.stop_reason, a.failure_type, a.failure_pattern, a.http_status, a.request_id, a.input_tokens, a.output_tokens,
        a.cache_creation_input_tokens, a.cache_read_input_tokens, a.cost_usd, a.duration_ms, coalesce(a.wait_ms, 0),
        coalesce(a.response_headers, '{}'), a.response_body, a.response_body_encoding, a.error_type, a.error_message,
        a.simulated, a.worker, i.created_by, a.started_at
    from jsonb_to_recordset(given) as r(item_id uuid, outcome text, attempt jsonb)
    join public.batch_items i on i.id = r.item_id
    cross join lateral jsonb_to_record(r.attempt) as a(
        id uuid, model text, max_tokens integer, temperature numeric, effort text, structured_outputs boolean,
        prompt_length integer, stop_reason text, failure_type text, failure_pattern text, http_status integer,
        request_id text, input_tokens integer, output_tokens integer, cache_creation_input_tokens integer,
        cache_read_input_tokens integer, cost_usd numeric, duration_ms integer, wait_ms integer, response_headers jsonb,
        response_body text, response_body_encoding text, error_type text, error_message text, simulated boolean,
        worker text, started_at timestamptz
    )
$$;

-- Appends one attempt; returns its id.
create or replace function public.insert_attempt(item public.batch_items, attempt jsonb, attempt_outcome text) returns uuid
language sql set search_path = ''
as $$
    select public.insert_attempts(jsonb_build_array(
        jsonb_build_object('item_id', item.id, 'outcome', attempt_outcome, 'attempt', attempt)));
    select (attempt ->> 'id')::uuid
$$;

-- Records the accepted replies among results, all at once: their attempts and conversations, and closes the items. Returns
-- the ids of the conversations by item. An item whose lease is lost is left out. The caller has locked the batches.
create function public.record_accepted(results jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    held jsonb;
    recorded jsonb;
begin
    select jsonb_agg(r) into held from jsonb_array_elements(results) r
    where r ->> 'kind' = 'success' and exists (
        select 1 from public.take_leased_item((r ->> 'item_id')::uuid, (r ->> 'lease_token')::uuid) i where i.id is not null
    );
    if held is null then
        return '{}';
    end if;
    perform public.insert_attempts((
        select jsonb_agg(jsonb_build_object('item_id', r -> 'item_id', 'outcome', 'accepted', 'attempt', r -> 'attempt'))
        from jsonb_array_elements(held) r
    ));
    with snapshots as materialized (
        -- A copy that is not compressed: seven parts of it are read for each item.
        select b.id, b.conversation_category, b.snapshot || '{}' as snapshot from public.batches b where b.id in (
            select i.batch_id from jsonb_array_elements(held) r join public.batch_items i on i.id = (r ->> 'item_id')::uuid
        )
    ), made as (
        insert into public.conversations (
            batch_id, batch_item_id, attempt_id, name, conversation_category, tier, turns, metadata, starting_emotion,
            starting_intensity, ending_emotion, ending_intensity, persona_id, emotional_arc_id, training_topic_id,
            template_id, scaffolding_snapshot, model, stop_reason, input_tokens, output_tokens, cost_usd, simulated,
            created_by
        )
        select i.batch_id, i.id, a.id,
            concat_ws(' · ', p.persona ->> 'name', p.arc ->> 'name', p.topic ->> 'name',
                case when i.variation > 1 then 'variation ' || i.variation end),
            s.conversation_category, i.tier, c.turns, c.metadata, c.starting_emotion, c.starting_intensity,
            c.ending_emotion, c.ending_intensity, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id,
            jsonb_build_object('persona', p.persona, 'emotional_arc', p.arc, 'training_topic', p.topic,
                'template', p.template - 'system_prompt' - 'user_prompt', 'variation', i.variation,
                'variation_values', coalesce(c.variation_values, '{}')),
            a.model, a.stop_reason, a.input_tokens, a.output_tokens, a.cost_usd, a.simulated, i.created_by
        from jsonb_to_recordset(held) as r(item_id uuid, attempt jsonb, conversation jsonb)
        join public.batch_items i on i.id = r.item_id
        join public.generation_attempts a on a.id = (r.attempt ->> 'id')::uuid
        join snapshots s on s.id = i.batch_id
        cross join lateral (
            select s.snapshot #> array['personas', i.persona_id::text] as persona,
                s.snapshot #> array['arcs', i.emotional_arc_id::text] as arc,
                s.snapshot #> array['topics', i.training_topic_id::text] as topic,
                s.snapshot #> array['templates', i.template_id::text] as template
        ) p
        cross join lateral jsonb_to_record(r.conversation) as c(
            turns jsonb, metadata jsonb, starting_emotion text, starting_intensity double precision, ending_emotion text,
            ending_intensity double precision, variation_values jsonb
        )
        returning batch_item_id, id
    )
    select jsonb_object_agg(m.batch_item_id, m.id) into recorded from made m;
    update public.batch_items i
    set status = 'completed', finished_at = now(), lease_token = null, lease_expires_at = null, leased_by = null
    from jsonb_object_keys(recorded) k where i.id = k::uuid;
    return recorded;
end
$$;

-- Records several results in one call, in order: [{"kind": "success" | "failure" | "release", "item_id",
-- "lease_token", "attempt", "conversation" | "failure" | "delay_seconds" [and "raised_max_tokens"]}]; returns their
-- outcomes in the same order.
create or replace function public.record_results(results jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    accepted jsonb;
    item_batches jsonb;
    statuses jsonb := '{}';
    result jsonb;
    outcomes jsonb := '[]';
begin
    -- Results of several batches come together: always in the same order, so that two workers never wait for each other.
    perform 1 from public.batches b where b.id in (
        select i.batch_id from jsonb_array_elements(results) r join public.batch_items i on i.id = (r ->> 'item_id')::uuid
    ) order by b.id for update;
    accepted := public.record_accepted(results);
    select jsonb_object_agg(i.id, i.batch_id) into item_batches
    from jsonb_object_keys(accepted) k join public.batch_items i on i.id = k::uuid;
    select coalesce(jsonb_object_agg(b.value, public.settle_batch(b.value::uuid)), '{}') into statuses
    from (select distinct e.value from jsonb_each_text(coalesce(item_batches, '{}')) e) b;
    for result in select r from jsonb_array_elements(results) r loop
        outcomes := outcomes || case
            when accepted ? (result ->> 'item_id') then jsonb_build_object('outcome', 'recorded',
                'conversation_id', accepted -> (result ->> 'item_id'),
                'batch_status', statuses -> (item_batches ->> (result ->> 'item_id')))
            when result ->> 'kind' = 'success' then public.record_superseded((result ->> 'item_id')::uuid, result -> 'attempt')
            when result ->> 'kind' = 'failure' then public.record_failure((result ->> 'item_id')::uuid,
                (result ->> 'lease_token')::uuid, result -> 'attempt', result -> 'failure')
            when result ->> 'kind' = 'release' then public.release_item((result ->> 'item_id')::uuid,
                (result ->> 'lease_token')::uuid, result -> 'attempt',
                coalesce((result ->> 'delay_seconds')::double precision, 0), (result ->> 'raised_max_tokens')::integer)
        end;
    end loop;
    return outcomes;
end
$$;

-- Notes what came of judged items; noting an item again replaces its row. A prompt of length 0 was not sent, or its
-- length is not known: null.
create or replace function public.note_outcomes(item_ids uuid[]) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    judged constant integer := (
        select count(*) from public.batch_items i where i.id = any (item_ids) and i.status in ('completed', 'failed'));
begin
    if public.write_outcomes(item_ids) = judged then
        return;
    end if;
    -- New combinations and kinds are rare. Two transactions that add several each, in different orders, would wait for each
    -- other for ever, so only one adds at a time.
    perform pg_advisory_xact_lock(hashtextextended('brightrun.note_outcomes', 0));
    insert into public.outcome_combinations (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, effort,
        structured_outputs, conversation_category, prompt_chars
    )
    select distinct o.created_by, o.persona_id, o.emotional_arc_id, o.training_topic_id, o.template_id, o.model,
        o.max_tokens, o.effort, o.structured_outputs, o.conversation_category, o.prompt_chars
    from public.describe_outcomes(item_ids) o
    on conflict do nothing;
    insert into public.failure_kinds (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
    select distinct o.created_by, o.failure_type, o.stop_reason, o.truncation_pattern, o.fingerprint
    from public.describe_outcomes(item_ids) o where o.failure_type is not null
    on conflict do nothing;
    perform public.write_outcomes(item_ids);
end
$$;

-- Writes the outcomes of those judged items whose combination and kind of failure are known; returns how many.
create function public.write_outcomes(item_ids uuid[]) returns integer
language plpgsql set search_path = ''
as $$
declare
    written integer;
begin
    insert into public.item_outcomes as kept (
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter_hour, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, request_id, simulated
    )
    select o.batch_item_id, o.created_by, o.batch_id, k.id, f.id, floor(extract(epoch from o.closed_at) / 900)::integer,
        o.output_tokens::real / o.max_tokens, o.last_turn, o.attempts, o.duration_ms, o.wasted_ms, o.cost_usd,
        o.wasted_usd, case when o.failure_type is not null then o.request_id end, o.simulated
    from public.describe_outcomes(item_ids) o
    join public.outcome_combinations k
        on k.created_by = o.created_by and k.persona_id = o.persona_id and k.emotional_arc_id = o.emotional_arc_id
        and k.training_topic_id = o.training_topic_id and k.template_id = o.template_id and k.model = o.model
        and k.max_tokens = o.max_tokens and k.effort is not distinct from o.effort
        and k.structured_outputs = o.structured_outputs and k.conversation_category = o.conversation_category
        and k.prompt_chars is not distinct from o.prompt_chars
    left join public.failure_kinds f
        on f.created_by = o.created_by and f.failure_type = o.failure_type
        and f.stop_reason is not distinct from o.stop_reason
        and f.truncation_pattern is not distinct from o.truncation_pattern
        and f.fingerprint is not distinct from o.fingerprint
    where o.failure_type is null or f.id is not null
    on conflict (batch_item_id) do update
    set combination_id = excluded.combination_id, kind_id = excluded.kind_id, quarter_hour = excluded.quarter_hour,
        share_used = excluded.share_used, last_turn = excluded.last_turn,
        attempts = excluded.attempts, duration_ms = excluded.duration_ms, wasted_ms = excluded.wasted_ms,
        cost_usd = excluded.cost_usd, wasted_usd = excluded.wasted_usd, request_id = excluded.request_id,
        simulated = excluded.simulated;
    get diagnostics written = row_count;
    return written;
end
$$;

-- Notes the outcomes of items in the transaction that closes them.
create function public.note_closed_items() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    closed constant uuid[] := array(
        select n.id from after n join before o on o.id = n.id
        where n.status in ('completed', 'failed') and n.status <> o.status);
begin
    if cardinality(closed) > 0 then
        perform public.note_outcomes(closed);
    end if;
    return null;
end
$$;
create trigger note_closed_items after update on public.batch_items
    referencing old table as before new table as after for each statement execute function public.note_closed_items();

revoke execute on function
    public.insert_attempts(jsonb), public.record_accepted(jsonb), public.write_outcomes(uuid[]), public.note_closed_items()
    from public, anon, authenticated;
grant execute on function
    public.insert_attempts(jsonb), public.record_accepted(jsonb), public.write_outcomes(uuid[]), public.note_closed_items()
    to service_role;
