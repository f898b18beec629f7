-- Results: attempts (append-only), conversations (the training data) and failed generations (diagnostic data), and
-- how workers record them. The service role alone writes them.
--
-- Whoever changes the items of a batch locks the batch's row first, so that two workers that close the last two items
-- at the same moment cannot both miss that the batch is done.

create table public.generation_attempts (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    batch_item_id uuid not null references public.batch_items (id) on delete cascade,
    attempt_number integer not null check (attempt_number >= 1),
    outcome text not null check (outcome in ('accepted', 'failed', 'retried', 'superseded')),
    model varchar(100) not null,
    max_tokens integer not null,
    temperature numeric(3, 2),
    effort text,
    structured_outputs boolean not null,
    prompt_length integer not null,
    stop_reason varchar(50),
    failure_type varchar(50),
    failure_pattern varchar(50),
    http_status integer,
    request_id text,
    input_tokens integer,
    output_tokens integer,
    cache_creation_input_tokens integer,
    cache_read_input_tokens integer,
    cost_usd numeric(12, 6),
    duration_ms integer not null check (duration_ms >= 0),
    wait_ms integer not null default 0 check (wait_ms >= 0),
    response_headers jsonb not null default '{}',
    response_body text,
    response_body_encoding text check (response_body_encoding in ('utf-8', 'base64')),
    error_type text,
    error_message text,
    simulated boolean not null,
    worker text not null,
    created_by uuid not null references auth.users (id) on delete cascade,
    started_at timestamptz not null,
    created_at timestamptz not null default now(),
    unique (batch_item_id, attempt_number)
);
comment on table public.generation_attempts is
    'One row for each call to Claude, good or bad; never updated, but that the body of an accepted reply is forgotten in time';
comment on column public.generation_attempts.outcome is
    'retried: the item was tried again; superseded: a paid reply that came after its item had been given to another worker';
comment on column public.generation_attempts.response_body is
    'The raw HTTP body, base64 where it is not UTF-8 text; that of an accepted reply is kept for a set time (drop_old_replies)';
comment on column public.generation_attempts.wait_ms is 'How long the item waited after this attempt before it could be tried again';
create index idx_generation_attempts_batch on public.generation_attempts (batch_id, created_at);
create index idx_generation_attempts_created_by on public.generation_attempts (created_by, created_at desc);
create index idx_generation_attempts_watch on public.generation_attempts (batch_id)
    include (stop_reason, outcome, cost_usd, input_tokens, output_tokens, simulated, created_by);
create index idx_generation_attempts_spend on public.generation_attempts (created_by, simulated) include (cost_usd);
create index idx_generation_attempts_kept_replies on public.generation_attempts (created_at)
    where outcome = 'accepted' and response_body is not null;
alter table public.generation_attempts enable row level security;
create policy "Users read their attempts" on public.generation_attempts
    for select to authenticated using (created_by = (select auth.uid()));

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

create table public.conversations (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    batch_item_id uuid not null unique references public.batch_items (id) on delete cascade,
    attempt_id uuid not null unique references public.generation_attempts (id) on delete cascade,
    name text not null,
    conversation_category varchar(20) not null check (conversation_category in ('core', 'edge')),
    tier text not null check (tier in ('template', 'scenario', 'edge_case')),
    turns jsonb not null check (jsonb_typeof(turns) = 'array' and jsonb_array_length(turns) >= 2),
    turn_count integer generated always as (jsonb_array_length(turns)) stored,
    metadata jsonb not null,
    starting_emotion text,
    starting_intensity double precision,
    ending_emotion text,
    ending_intensity double precision,
    review_status text not null default 'pending_review'
        check (review_status in ('pending_review', 'approved', 'rejected')),
    quality_score numeric(3, 2),
    persona_id uuid not null references public.personas (id),
    emotional_arc_id uuid not null references public.emotional_arcs (id),
    training_topic_id uuid not null references public.training_topics (id),
    template_id uuid not null references public.prompt_templates (id),
    scaffolding_snapshot jsonb not null,
    model varchar(100) not null,
    stop_reason varchar(50) not null check (stop_reason = 'end_turn'),
    input_tokens integer,
    output_tokens integer,
    cost_usd numeric(12, 6),
    simulated boolean not null,
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    review_reason text check (review_reason is null or public.is_line(review_reason)),
    review_note text check (review_note is null or public.is_text(review_note, 5000)),
    read_at timestamptz,
    reader uuid,
    held_until timestamptz
);
comment on table public.conversations is 'Accepted replies only: the training data';
comment on column public.conversations.review_reason is 'Why a reviewer rejected it';
comment on column public.conversations.reader is 'The session that has it open until held_until';
create index idx_conversations_batch on public.conversations (batch_id, created_at);
create index idx_conversations_filters on public.conversations (created_by, created_at desc, id desc)
    include (batch_id, persona_id, emotional_arc_id, training_topic_id, conversation_category, tier, model, review_status,
        quality_score);
create index idx_conversations_combination on public.conversations
    (created_by, persona_id, emotional_arc_id, training_topic_id) include (simulated, review_status);
-- For the foreign keys alone.
create index idx_conversations_persona on public.conversations (persona_id);
create index idx_conversations_arc on public.conversations (emotional_arc_id);
create index idx_conversations_topic on public.conversations (training_topic_id);
create index idx_conversations_template on public.conversations (template_id);
alter table public.conversations enable row level security;
create policy "Users read their conversations" on public.conversations
    for select to authenticated using (created_by = (select auth.uid()));

create table public.conversation_edits (
    id uuid primary key default gen_random_uuid(),
    conversation_id uuid not null references public.conversations (id) on delete cascade,
    turn_place integer not null check (turn_place >= 0),
    content_before text not null,
    edited_by uuid not null references auth.users (id) on delete cascade,
    edited_at timestamptz not null default now()
);
comment on table public.conversation_edits is 'What turns said before they were edited; the first edit of a turn has what Claude wrote';
comment on column public.conversation_edits.turn_place is 'Counted from 0';
create index idx_conversation_edits_conversation on public.conversation_edits (conversation_id, edited_at);
-- For the foreign key alone.
create index idx_conversation_edits_edited_by on public.conversation_edits (edited_by);
alter table public.conversation_edits enable row level security;
create policy "Users read the edits of their conversations" on public.conversation_edits
    for select to authenticated using (edited_by = (select auth.uid()));

create table public.failed_generations (
    id uuid primary key default gen_random_uuid(),
    conversation_id uuid,
    run_id uuid references public.batches (id) on delete cascade,
    batch_item_id uuid unique references public.batch_items (id) on delete cascade,
    attempt_id uuid references public.generation_attempts (id) on delete set null,
    prompt text not null,
    prompt_length integer not null,
    model varchar(100) not null,
    max_tokens integer,
    temperature numeric(3, 2),
    effort text,
    structured_outputs_enabled boolean default true,
    raw_response jsonb not null,
    response_content text,
    stop_reason varchar(50),
    input_tokens integer,
    output_tokens integer,
    failure_type varchar(50) not null,
    truncation_pattern varchar(50),
    truncation_details text,
    confidence text check (confidence in ('high', 'medium', 'low')),
    turn_index integer check (turn_index >= 0),
    error_message text,
    error_stack text,
    raw_file_path text,
    created_at timestamptz not null default now(),
    created_by uuid not null references auth.users (id) on delete cascade,
    persona_id uuid,
    emotional_arc_id uuid,
    training_topic_id uuid,
    template_id uuid,
    request_id text,
    cost_usd numeric(12, 6),
    attempt_count integer not null default 1,
    simulated boolean not null default false,
    fingerprint varchar(160),
    imported boolean not null default false,
    constraint failed_generations_failure_type_check check (
        failure_type in ('truncation', 'parse_error', 'validation_error', 'api_error', 'refusal', 'corruption')
    ),
    constraint failed_generations_max_tokens_check check (imported or max_tokens is not null)
);
comment on table public.failed_generations is 'Replies and calls that were not accepted, kept whole for diagnosis; never training data';
comment on column public.failed_generations.run_id is 'The batch';
comment on column public.failed_generations.conversation_id is 'Always null here: a failure never has a conversation (kept for the documents'' column list)';
comment on column public.failed_generations.turn_index is 'Turn that is to blame, from 0; null where no single turn is';
comment on column public.failed_generations.raw_file_path is 'RAW error report in the bucket failed-generation-files; null until it is uploaded';
comment on column public.failed_generations.fingerprint is
    'Key of the failure signature: shape of the end, or normalised message; the worker computes it (core/domain/diagnosis/fingerprint.py)';
create index idx_failed_generations_failure_type on public.failed_generations (failure_type);
create index idx_failed_generations_stop_reason on public.failed_generations (stop_reason);
create index idx_failed_generations_created_at on public.failed_generations (created_at desc);
create index idx_failed_generations_pattern on public.failed_generations (truncation_pattern) where truncation_pattern is not null;
create index idx_failed_generations_run_id on public.failed_generations (run_id) where run_id is not null;
create index idx_failed_generations_attempt_id on public.failed_generations (attempt_id);
create index idx_failed_generations_raw_file_path on public.failed_generations (raw_file_path) where raw_file_path is not null;
create index idx_failed_generations_without_report on public.failed_generations (created_at) where raw_file_path is null;
create index idx_failed_generations_breakdown on public.failed_generations (run_id, failure_type, truncation_pattern)
    include (created_by) where run_id is not null;
create index idx_failed_generations_fingerprint on public.failed_generations (created_by, fingerprint, created_at desc);
create index idx_failed_generations_without_fingerprint on public.failed_generations (created_at) where fingerprint is null;
create index idx_failed_generations_filters on public.failed_generations (created_by, created_at desc, id desc)
    include (failure_type, stop_reason, truncation_pattern, run_id, persona_id, emotional_arc_id, training_topic_id,
        template_id, model, fingerprint, turn_index, structured_outputs_enabled, max_tokens, output_tokens, effort,
        prompt_length);
create index idx_failed_generations_first_seen on public.failed_generations (created_by, truncation_pattern, created_at)
    where truncation_pattern is not null and not imported;
-- The charts of the failed generations count these three columns: with 100,000 failures this index is a fiftieth of the size of
-- that of all filters.
create index idx_failed_generations_ways on public.failed_generations
    (created_by, failure_type, stop_reason, truncation_pattern);
alter table public.failed_generations enable row level security;
create policy "Users read their failures" on public.failed_generations
    for select to authenticated using (created_by = (select auth.uid()));

-- The bucket of the RAW error reports: a user reads those of their failures.
insert into storage.buckets (id, name, public)
values ('failed-generation-files', 'failed-generation-files', false)
on conflict (id) do nothing;
create policy "Users read the reports of their failures" on storage.objects
    for select to authenticated using (
        bucket_id = 'failed-generation-files'
        and exists (
            select 1 from public.failed_generations f
            where f.raw_file_path = storage.objects.name and f.created_by = (select auth.uid())
        )
    );

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
create function public.insert_attempt(item public.batch_items, attempt jsonb, attempt_outcome text) returns uuid
language sql set search_path = ''
as $$
    select public.insert_attempts(jsonb_build_array(
        jsonb_build_object('item_id', item.id, 'outcome', attempt_outcome, 'attempt', attempt)));
    select (attempt ->> 'id')::uuid
$$;

-- Locks the batch, then the item that a worker brings a result for. Returns null where the lease is lost: it ran out
-- and another worker has taken the item since. A lease that ran out while nobody else took the item (the database was
-- away) still counts, since its reply has been paid for.
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

-- Records a reply or call that was not accepted: its attempt and its failed generation, and closes the item.
-- `stop_reason_for_batch` in the failure names what lets no call of the batch succeed until somebody acts (a rejected
-- key, a spend limit, a wrong address): the batch is paused with it as the reason. Items whose calls were in flight
-- fail for the same reason: they go back to the queue with their attempts recorded, so that a pause costs one item,
-- which carries the evidence. With error_handling = 'stop' any other failure ends the batch.
create function public.record_failure(item_id uuid, lease_token uuid, attempt jsonb, failure jsonb) returns jsonb
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

-- Answers a worker whose lease on the item is lost. A result that was recorded before (its answer was lost on the
-- way) counts as recorded. Where another worker has the item, the attempt is kept all the same, since its reply has
-- been paid for. Where there is no such item (its batch was deleted, or the result belongs to another database)
-- nothing can be kept, and the worker is told, so that it does not throw the reply away.
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
    if item.id is null then
        return jsonb_build_object('outcome', 'no_such_item');
    end if;
    if jsonb_typeof(attempt) = 'object' then
        perform public.insert_attempt(item, attempt, 'superseded');
    end if;
    return jsonb_build_object('outcome', 'lease_lost');
end
$$;

-- Records several results in one call, in order: [{"kind": "success" | "failure" | "release", "item_id",
-- "lease_token", "attempt", "conversation" | "failure" | "delay_seconds" [and "raised_max_tokens"]}]; returns their
-- outcomes in the same order.
create function public.record_results(results jsonb) returns jsonb
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
