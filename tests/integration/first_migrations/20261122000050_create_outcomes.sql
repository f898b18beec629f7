-- What came of every judged item, narrow enough to count half a million of them while a page loads.
--
-- An item that closes leaves one row in item_outcomes, by a trigger, in the transaction that closes it. What is the same for
-- many items stands once: their settings in outcome_combinations, the way they failed in failure_kinds. These are facts, not
-- counters: every figure is counted from them when it is asked for.

alter table public.failed_generations add column fingerprint varchar(160);
comment on column public.failed_generations.fingerprint is
    'Key of the kind of failure: shape of the end, or normalised message; the worker computes it (core/domain/fingerprint.py)';
create index idx_failed_generations_fingerprint on public.failed_generations (created_by, fingerprint, created_at desc);
create index idx_failed_generations_without_fingerprint on public.failed_generations (created_at) where fingerprint is null;

create table public.outcome_combinations (
    id integer generated always as identity primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    persona_id uuid not null,
    emotional_arc_id uuid not null,
    training_topic_id uuid not null,
    template_id uuid not null,
    model varchar(100) not null,
    max_tokens integer not null,
    effort text,
    structured_outputs boolean not null,
    conversation_category varchar(20) not null,
    prompt_chars integer not null,
    unique nulls not distinct (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, effort,
        structured_outputs, conversation_category, prompt_chars
    )
);
comment on column public.outcome_combinations.model is
    'As the batch asked for it: a reply may name a dated version, and a call without a reply names none';
comment on column public.outcome_combinations.prompt_chars is 'Length of the prompt in characters, rounded down to hundreds';

create table public.failure_kinds (
    id integer generated always as identity primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    failure_type varchar(50) not null,
    stop_reason varchar(50),
    truncation_pattern varchar(50),
    fingerprint varchar(160),
    unique nulls not distinct (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
);

create table public.item_outcomes (
    batch_item_id uuid primary key references public.batch_items (id) on delete cascade,
    created_by uuid not null references auth.users (id) on delete cascade,
    batch_id uuid not null,
    combination_id integer not null references public.outcome_combinations (id),
    kind_id integer references public.failure_kinds (id),
    quarter integer not null,
    output_tokens integer,
    share_used real,
    twentieth smallint generated always as (least(floor(share_used * 20), 20)::smallint) stored,
    last_turn smallint,
    attempts smallint not null,
    duration_ms integer not null,
    wasted_ms integer not null,
    cost_usd double precision not null,
    wasted_usd double precision not null,
    request_id text,
    simulated boolean not null
);
comment on table public.item_outcomes is 'One row for each item that was accepted or failed';
comment on column public.item_outcomes.kind_id is 'How it failed; null: accepted';
comment on column public.item_outcomes.quarter is 'When it closed, in quarters of an hour since 1970: every time zone''s days are made of them';
comment on column public.item_outcomes.share_used is 'Output tokens of the last reply as a share of its max_tokens; null without a reply';
comment on column public.item_outcomes.last_turn is
    'Accepted: number of turns. Failed: the turn that is to blame, from 0; null where no single one is';
comment on column public.item_outcomes.wasted_usd is 'Cost of all attempts that did not become a conversation';

create index idx_item_outcomes_batch on public.item_outcomes (created_by, batch_id);
create index idx_item_outcomes_time on public.item_outcomes (created_by, quarter);
create index idx_item_outcomes_kind on public.item_outcomes (kind_id, combination_id) where kind_id is not null;
create index idx_item_outcomes_combination on public.item_outcomes (combination_id);

alter table public.outcome_combinations enable row level security;
alter table public.failure_kinds enable row level security;
alter table public.item_outcomes enable row level security;
create policy "Users read their combinations" on public.outcome_combinations
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their kinds of failure" on public.failure_kinds
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their outcomes" on public.item_outcomes
    for select to authenticated using (created_by = (select auth.uid()));
revoke all on public.outcome_combinations, public.failure_kinds, public.item_outcomes from anon, authenticated;
grant select on public.outcome_combinations, public.failure_kinds, public.item_outcomes to authenticated;
grant all on public.outcome_combinations, public.failure_kinds, public.item_outcomes to service_role;

-- Everything that is to be noted of judged items, by item.
create function public.describe_outcomes(item_ids uuid[]) returns table (
    batch_item_id uuid, created_by uuid, batch_id uuid, persona_id uuid, emotional_arc_id uuid, training_topic_id uuid,
    template_id uuid, model varchar, max_tokens integer, effort text, structured_outputs boolean,
    conversation_category varchar, prompt_chars integer, failure_type varchar, stop_reason varchar,
    truncation_pattern varchar, fingerprint varchar, closed_at timestamptz, output_tokens integer, last_turn smallint,
    attempts smallint, duration_ms integer, wasted_ms integer, cost_usd double precision, wasted_usd double precision,
    request_id text, simulated boolean
)
language sql stable set search_path = ''
as $$
    select i.id, i.created_by, i.batch_id, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id, b.model,
        coalesce(a.max_tokens, i.max_tokens, b.max_tokens), b.effort, b.structured_outputs, b.conversation_category,
        coalesce(a.prompt_length, f.prompt_length, 0) / 100 * 100,
        case when i.status = 'failed' then coalesce(f.failure_type, a.failure_type, 'unknown') end,
        case when i.status = 'failed' then coalesce(f.stop_reason, a.stop_reason) end,
        case when i.status = 'failed' then coalesce(f.truncation_pattern, a.failure_pattern) end,
        f.fingerprint, coalesce(i.finished_at, now()), a.output_tokens,
        (case when i.status = 'failed' then f.turn_index else c.turn_count end)::smallint,
        t.attempts::smallint, t.duration_ms::integer,
        (t.duration_ms - case when i.status = 'completed' then coalesce(a.duration_ms, 0) else 0 end)::integer,
        t.cost_usd::double precision,
        (t.cost_usd - case when i.status = 'completed' then coalesce(a.cost_usd, 0) else 0 end)::double precision,
        a.request_id, coalesce(a.simulated, f.simulated, false)
    from public.batch_items i
    join public.batches b on b.id = i.batch_id
    left join public.failed_generations f on f.batch_item_id = i.id
    left join public.conversations c on c.batch_item_id = i.id
    left join lateral (
        select g.* from public.generation_attempts g
        where g.batch_item_id = i.id and g.outcome <> 'superseded'
        order by g.attempt_number desc limit 1
    ) a on true
    cross join lateral (
        select count(*) as attempts, coalesce(sum(g.duration_ms), 0) as duration_ms, coalesce(sum(g.cost_usd), 0) as cost_usd
        from public.generation_attempts g where g.batch_item_id = i.id
    ) t
    where i.id = any (item_ids) and i.status in ('completed', 'failed')
$$;

-- Notes what came of judged items; noting an item again replaces its row.
create function public.note_outcomes(item_ids uuid[]) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    -- New combinations and kinds are rare. Two transactions that add several each, in different orders, would wait for each
    -- other for ever, so only one adds at a time.
    if exists (
        select 1 from public.describe_outcomes(item_ids) o
        where not exists (
            select 1 from public.outcome_combinations k
            where k.created_by = o.created_by and k.persona_id = o.persona_id and k.emotional_arc_id = o.emotional_arc_id
                and k.training_topic_id = o.training_topic_id and k.template_id = o.template_id and k.model = o.model
                and k.max_tokens = o.max_tokens and k.effort is not distinct from o.effort
                and k.structured_outputs = o.structured_outputs and k.conversation_category = o.conversation_category
                and k.prompt_chars = o.prompt_chars
        ) or (o.failure_type is not null and not exists (
            select 1 from public.failure_kinds k
            where k.created_by = o.created_by and k.failure_type = o.failure_type
                and k.stop_reason is not distinct from o.stop_reason
                and k.truncation_pattern is not distinct from o.truncation_pattern
                and k.fingerprint is not distinct from o.fingerprint
        ))
    ) then
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
    end if;

    insert into public.item_outcomes as kept (
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter, output_tokens, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, request_id, simulated
    )
    select o.batch_item_id, o.created_by, o.batch_id, k.id, f.id, floor(extract(epoch from o.closed_at) / 900)::integer,
        o.output_tokens, o.output_tokens::real / o.max_tokens, o.last_turn, o.attempts, o.duration_ms, o.wasted_ms, o.cost_usd,
        o.wasted_usd, case when o.failure_type is not null then o.request_id end, o.simulated
    from public.describe_outcomes(item_ids) o
    join public.outcome_combinations k
        on k.created_by = o.created_by and k.persona_id = o.persona_id and k.emotional_arc_id = o.emotional_arc_id
        and k.training_topic_id = o.training_topic_id and k.template_id = o.template_id and k.model = o.model
        and k.max_tokens = o.max_tokens and k.effort is not distinct from o.effort
        and k.structured_outputs = o.structured_outputs and k.conversation_category = o.conversation_category
        and k.prompt_chars = o.prompt_chars
    left join public.failure_kinds f
        on f.created_by = o.created_by and f.failure_type = o.failure_type
        and f.stop_reason is not distinct from o.stop_reason
        and f.truncation_pattern is not distinct from o.truncation_pattern
        and f.fingerprint is not distinct from o.fingerprint
    on conflict (batch_item_id) do update
    set combination_id = excluded.combination_id, kind_id = excluded.kind_id, quarter = excluded.quarter,
        output_tokens = excluded.output_tokens, share_used = excluded.share_used, last_turn = excluded.last_turn,
        attempts = excluded.attempts, duration_ms = excluded.duration_ms, wasted_ms = excluded.wasted_ms,
        cost_usd = excluded.cost_usd, wasted_usd = excluded.wasted_usd, request_id = excluded.request_id,
        simulated = excluded.simulated;
end
$$;

create function public.note_closed_item() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform public.note_outcomes(array[new.id]);
    return null;
end
$$;
create trigger note_closed_item after update of status on public.batch_items
    for each row when (new.status in ('completed', 'failed') and old.status is distinct from new.status)
    execute function public.note_closed_item();

-- What was judged before this migration.
select public.note_outcomes(array(select i.id from public.batch_items i where i.status in ('completed', 'failed')));

-- The failures that have no fingerprint yet, oldest first, with what one is made of.
create function public.list_unmarked_failures(max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(u)), '[]') from (
        select f.id, f.failure_type, f.truncation_pattern as pattern, f.stop_reason, f.response_content as reply_text,
            f.turn_index, coalesce(f.error_message, f.truncation_details) as message
        from public.failed_generations f where f.fingerprint is null order by f.created_at limit max_rows
    ) u
$$;

-- marks: [{"id", "fingerprint"}]; returns how many failures were marked.
create function public.mark_failures(marks jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    item_ids uuid[];
begin
    with marked as (
        update public.failed_generations f set fingerprint = m.fingerprint
        from jsonb_to_recordset(marks) as m(id uuid, fingerprint text)
        where f.id = m.id
        returning f.batch_item_id
    )
    select array_agg(m.batch_item_id) filter (where m.batch_item_id is not null) into item_ids from marked m;
    perform public.note_outcomes(item_ids);
    return coalesce(cardinality(item_ids), 0);
end
$$;

-- As in 6, with the fingerprint.
create or replace function public.record_failure(item_id uuid, lease_token uuid, attempt jsonb, failure jsonb) returns jsonb
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

revoke execute on function
    public.describe_outcomes(uuid[]), public.note_outcomes(uuid[]), public.note_closed_item(),
    public.list_unmarked_failures(integer), public.mark_failures(jsonb),
    public.record_failure(uuid, uuid, jsonb, jsonb)
    from public, anon, authenticated;
grant execute on function
    public.list_unmarked_failures(integer), public.mark_failures(jsonb), public.record_failure(uuid, uuid, jsonb, jsonb)
    to service_role;
