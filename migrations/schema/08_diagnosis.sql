-- Diagnosis: the outcome of every judged item, in rows narrow enough to count half a million of them while a page
-- loads.
--
-- An item that closes leaves one row in item_outcomes, by a trigger, in the transaction that closes it. What many
-- items share stands once: their settings in outcome_combinations, their failure signature in failure_kinds. These
-- are facts, not counters: every figure is counted from them when it is asked for.

-- The settings and scaffolding that many items share, each set once.
create table public.outcome_combinations (
    id integer generated always as identity primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    persona_id uuid not null,
    emotional_arc_id uuid not null,
    training_topic_id uuid not null,
    template_id uuid not null,
    model varchar(100) not null,
    max_tokens integer,
    effort text,
    structured_outputs boolean,
    conversation_category varchar(20) not null,
    prompt_chars integer,
    unique nulls not distinct (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, effort,
        structured_outputs, conversation_category, prompt_chars
    )
);
comment on column public.outcome_combinations.model is
    'As the batch asked for it: a reply may name a dated version, and a call without a reply names none';
comment on column public.outcome_combinations.prompt_chars is
    'Length of the prompt in characters, rounded down to hundreds; null where there was none, or nobody knows it';
alter table public.outcome_combinations enable row level security;
create policy "Users read their combinations" on public.outcome_combinations
    for select to authenticated using (created_by = (select auth.uid()));

-- The failure signatures that many items share, each once: how something failed.
create table public.failure_kinds (
    id integer generated always as identity primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    failure_type varchar(50) not null,
    stop_reason varchar(50),
    truncation_pattern varchar(50),
    fingerprint varchar(160),
    unique nulls not distinct (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
);
alter table public.failure_kinds enable row level security;
create policy "Users read their kinds of failure" on public.failure_kinds
    for select to authenticated using (created_by = (select auth.uid()));

create table public.item_outcomes (
    batch_item_id uuid primary key references public.batch_items (id) on delete cascade,
    created_by uuid not null references auth.users (id) on delete cascade,
    batch_id uuid not null,
    combination_id integer not null references public.outcome_combinations (id),
    kind_id integer references public.failure_kinds (id),
    quarter_hour integer not null,
    share_used real,
    last_turn integer,
    attempts smallint not null,
    duration_ms integer not null,
    wasted_ms integer not null,
    cost_usd double precision not null,
    wasted_usd double precision not null,
    request_id text,
    simulated boolean not null,
    -- Through numeric: 0.35 in single precision is in bin 7, not 6.99.
    share_bin smallint generated always as (
        (case when share_used < 1 then floor(share_used::numeric * 20) when share_used >= 1 then 20 end)::smallint
    ) stored
);
comment on table public.item_outcomes is 'One row for each item that was accepted or failed';
comment on column public.item_outcomes.kind_id is 'How it failed; null: accepted';
comment on column public.item_outcomes.quarter_hour is 'When it closed, in quarter hours since 1970: every time zone''s days are made of them';
comment on column public.item_outcomes.share_used is 'Output tokens of the last reply as a share of its max_tokens; null without a reply';
comment on column public.item_outcomes.last_turn is
    'Accepted: number of turns. Failed: the turn that is to blame, from 0; null where no single one is';
comment on column public.item_outcomes.wasted_usd is 'Cost of all attempts that did not become a conversation';
comment on column public.item_outcomes.share_bin is 'share_used in bins of 5 %, 20: all of it or more; null where it is not known';
create index idx_item_outcomes_batch on public.item_outcomes (created_by, batch_id);
create index idx_item_outcomes_kind on public.item_outcomes (kind_id, combination_id) where kind_id is not null;
create index idx_item_outcomes_combination on public.item_outcomes (combination_id);
create index idx_item_outcomes_first_failure on public.item_outcomes (kind_id, quarter_hour) where kind_id is not null;
-- Rates of a time are counted in the index alone.
create index idx_item_outcomes_rate on public.item_outcomes (created_by, quarter_hour) include (kind_id, simulated, batch_id);
alter table public.item_outcomes enable row level security;
create policy "Users read their outcomes" on public.item_outcomes
    for select to authenticated using (created_by = (select auth.uid()));

-- Everything that is to be noted about judged items, by item. Turns are as many as they are; sums end at what their
-- columns hold. The planner is told how few rows come, or it would read all combinations to join them.
create function public.describe_outcomes(item_ids uuid[]) returns table (
    batch_item_id uuid, created_by uuid, batch_id uuid, persona_id uuid, emotional_arc_id uuid, training_topic_id uuid,
    template_id uuid, model varchar, max_tokens integer, effort text, structured_outputs boolean,
    conversation_category varchar, prompt_chars integer, failure_type varchar, stop_reason varchar,
    truncation_pattern varchar, fingerprint varchar, closed_at timestamptz, output_tokens integer, last_turn integer,
    attempts smallint, duration_ms integer, wasted_ms integer, cost_usd double precision, wasted_usd double precision,
    request_id text, simulated boolean
)
language sql stable rows 20 set search_path = ''
as $$
    select i.id, i.created_by, i.batch_id, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id, b.model,
        coalesce(a.max_tokens, i.max_tokens, b.max_tokens), b.effort, b.structured_outputs, b.conversation_category,
        coalesce(nullif(a.prompt_length, 0), nullif(f.prompt_length, 0)) / 100 * 100,
        case when i.status = 'failed' then coalesce(f.failure_type, a.failure_type, 'unknown') end,
        case when i.status = 'failed' then coalesce(f.stop_reason, a.stop_reason) end,
        case when i.status = 'failed' then coalesce(f.truncation_pattern, a.failure_pattern) end,
        f.fingerprint, coalesce(i.finished_at, now()), a.output_tokens,
        case when i.status = 'failed' then f.turn_index else c.turn_count end,
        least(t.attempts, 32767)::smallint, least(t.duration_ms, 2147483647)::integer,
        least(
            t.duration_ms - case when i.status = 'completed' then coalesce(a.duration_ms, 0) else 0 end, 2147483647
        )::integer,
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

-- Notes what came of judged items; noting an item again replaces its row. A prompt of length 0 was not sent, or its
-- length is not known: null.
create function public.note_outcomes(item_ids uuid[]) returns void
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

-- The caller's combinations of settings that match: those filters of matching_failures that say how an item was made.
create function public.matching_combinations(filters jsonb) returns setof public.outcome_combinations
language sql stable
as $$
    select c.* from public.outcome_combinations c
    where public.require_filters(filters)
        and public.fits_settings(filters, c.persona_id, c.emotional_arc_id, c.training_topic_id, c.template_id,
            c.structured_outputs, c.max_tokens, c.effort, c.prompt_chars)
        and (filters ->> 'topic_category' is null or c.training_topic_id in (
            select t.id from public.training_topics t where t.category = filters ->> 'topic_category'))
        and (filters ->> 'conversation_category' is null
            or c.conversation_category = filters ->> 'conversation_category')
        and (filters ->> 'model' is null or c.model = filters ->> 'model')
$$;

-- Says whether filters ask for imported items, which are no part of a rate otherwise: by `with_imports`, by a batch, or by
-- a name that only imported records have.
create function public.asks_for_imports(filters jsonb) returns boolean
language sql stable set search_path = ''
as $$
    select public.require_filters(filters)
        and (coalesce(filters ->> 'with_imports' = 'true', false) or filters ->> 'batch_id' is not null or exists (
            select 1 from public.imported_names n
            where n.id::text in (filters ->> 'persona_id', filters ->> 'emotional_arc_id', filters ->> 'training_topic_id',
                filters ->> 'template_id')
        ))
$$;

-- Counts judged items by combination, batch and kind of failure. The newest batches (at most 100) stand for
-- themselves, the others are summed up. Items of imported batches may have closed long before the batch came to be,
-- so those batches are looked up for items of any age. In the histogram of tokens what failed otherwise than the
-- filters ask for is neither accepted nor failed: it is left out.
create function public.count_outcomes(filters jsonb, most_batches integer) returns json
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB'
as $$
declare
    asks_for_kinds constant boolean := filters ?| array['failure_type', 'stop_reason', 'truncation_pattern', 'fingerprint'];
    asks_for_turn constant integer := (filters ->> 'turn_index')::integer;
    asks_for_share_bin constant integer := (filters ->> 'limit_share_bin')::integer;
    first_quarter_hour constant integer :=
        floor(extract(epoch from (filters ->> 'date_from')::timestamptz) / 900)::integer;
    end_quarter_hour constant integer := ceil(extract(epoch from (filters ->> 'date_to')::timestamptz) / 900)::integer;
    has_combinations constant boolean := filters ?| array[
        'persona_id', 'emotional_arc_id', 'training_topic_id', 'template_id', 'model', 'topic_category',
        'conversation_category', 'structured_outputs', 'max_tokens', 'effort', 'prompt_from', 'prompt_to'
    ];
    left_out constant uuid[] := case when public.asks_for_imports(filters) then '{}'
        else array(select b.id from public.batches b where b.imported) end;
    kind_ids integer[];
    combination_ids integer[];
    text_items uuid[];
    batch_ids uuid[];
    slots_from integer;
    answer json;
begin
    perform public.require_filters(filters);
    select coalesce(array_agg(k.id), '{}') into kind_ids from public.failure_kinds k
    where public.fits_kind(filters, k.failure_type, k.stop_reason, k.truncation_pattern, k.fingerprint);
    if has_combinations then
        select coalesce(array_agg(c.id), '{}') into combination_ids from public.matching_combinations(filters) c;
    end if;
    if filters ->> 'text' is not null then
        select coalesce(array_agg(f.batch_item_id), '{}') into text_items from public.failed_generations f
        where f.batch_item_id is not null
            and f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id));
    end if;
    -- The newest batches stand for themselves, the others together: that bounds what is sent. Not those with the most failures:
    -- whoever is picked for failing looks guilty by the pick alone.
    select coalesce(array_agg(t.id order by t.created_at desc, t.id), '{}'),
        min(case when t.imported then 0 else floor(extract(epoch from t.created_at) / 900) end)::integer
    into batch_ids, slots_from from (
        select b.id, b.created_at, b.imported from public.batches b
        where (filters ->> 'batch_id' is null or b.id = (filters ->> 'batch_id')::uuid) and b.id <> all (left_out) and exists (
            select 1 from public.item_outcomes o
            where o.created_by = b.created_by and o.batch_id = b.id
                and (first_quarter_hour is null or o.quarter_hour >= first_quarter_hour)
                and (end_quarter_hour is null or o.quarter_hour < end_quarter_hour)
                and (not has_combinations or o.combination_id = any (combination_ids))
        )
        order by b.created_at desc, b.id limit least(greatest(most_batches, 1), 100)
    ) t;

    with judged as not materialized (
        select o.combination_id, o.quarter_hour, o.last_turn, o.attempts, o.duration_ms, o.wasted_ms, o.cost_usd,
            o.wasted_usd, o.share_used, o.simulated, o.share_bin, o.kind_id is null as is_accepted,
            case when o.quarter_hour >= slots_from then array_position(batch_ids, o.batch_id) end as slot,
            case when o.kind_id is not null and (not asks_for_kinds or o.kind_id = any (kind_ids))
                and (asks_for_turn is null or o.last_turn = asks_for_turn)
                and (asks_for_share_bin is null or o.share_bin = asks_for_share_bin)
                and (text_items is null or o.batch_item_id = any (text_items)) then o.kind_id else 0 end as kind
        from public.item_outcomes o
        where (filters ->> 'batch_id' is null or o.batch_id = (filters ->> 'batch_id')::uuid) and o.batch_id <> all (left_out)
            and (first_quarter_hour is null or o.quarter_hour >= first_quarter_hour)
            and (end_quarter_hour is null or o.quarter_hour < end_quarter_hour)
            and (not has_combinations or o.combination_id = any (combination_ids))
    ), cells as materialized (
        select j.combination_id, coalesce(j.slot - 1, -1) as slot, j.kind, count(*) as items,
            count(*) filter (where j.simulated) as simulated, min(j.share_used) as share_low, max(j.share_used) as share_high,
            sum(j.attempts) as attempts, sum(j.duration_ms) as duration_ms,
            sum(j.wasted_ms) as wasted_ms, sum(j.cost_usd) as cost_usd, sum(j.wasted_usd) as wasted_usd
        from judged j
        group by j.combination_id, j.slot, j.kind
    ), others as materialized (
        select grouping(j.quarter_hour, j.share_bin, j.last_turn) as counted_by, j.quarter_hour, j.share_bin, j.last_turn,
            count(*) as judged, count(*) filter (where j.is_accepted) as accepted,
            count(*) filter (where j.kind > 0) as failed,
            bool_or(j.simulated) as simulated
        from judged j
        group by grouping sets ((j.quarter_hour), (j.share_bin), (j.last_turn))
    )
    select json_build_object(
        'cells', (
            select json_build_object(
                'combination', coalesce(string_agg(c.combination_id::text, ','), ''),
                'slot', coalesce(string_agg(c.slot::text, ','), ''),
                'kind', coalesce(string_agg(c.kind::text, ','), ''),
                'items', coalesce(string_agg(c.items::text, ','), ''),
                'simulated', coalesce(string_agg(c.simulated::text, ','), ''),
                'share_low', coalesce(string_agg(
                    case when c.kind > 0 and c.share_low is not null
                        then (least(c.share_low, 1) * 10000)::integer::text else '' end, ','
                ), ''),
                'share_high', coalesce(string_agg(
                    case when c.kind > 0 and c.share_high is not null
                        then (least(c.share_high, 1) * 10000)::integer::text else '' end, ','
                ), '')
            ) from cells c
        ),
        'totals', (
            select coalesce(json_agg(t), '[]') from (
                select c.kind, sum(c.items) as items, sum(c.attempts) as attempts, sum(c.duration_ms) as duration_ms,
                    sum(c.wasted_ms) as wasted_ms, sum(c.cost_usd) as cost_usd, sum(c.wasted_usd) as wasted_usd
                from cells c group by c.kind
            ) t
        ),
        'simulated', (select coalesce(bool_or(o.simulated), false) from others o where o.counted_by = 3),
        'quarter_hours', (
            select coalesce(json_agg(json_build_object('quarter_hour', o.quarter_hour, 'judged', o.judged,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 3
        ),
        'tokens', (
            select coalesce(json_agg(json_build_object('share_bin', o.share_bin, 'accepted', o.accepted,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 5 and o.share_bin is not null
        ),
        'turns', (
            select coalesce(json_agg(json_build_object('turn', o.last_turn, 'accepted', o.judged - o.failed,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 6 and o.last_turn is not null
        ),
        'kinds', (
            select coalesce(json_agg(k), '[]') from (
                select k.id, k.failure_type, k.stop_reason, k.truncation_pattern, k.fingerprint from public.failure_kinds k
                where k.id in (select c.kind from cells c)
            ) k
        ),
        'combinations', (
            select coalesce(json_agg(k), '[]') from (
                select k.id, k.persona_id, k.emotional_arc_id, k.training_topic_id, k.template_id, k.model, k.max_tokens,
                    k.effort, k.structured_outputs, k.conversation_category, k.prompt_chars
                from public.outcome_combinations k where k.id in (select c.combination_id from cells c)
            ) k
        ),
        'batches', (
            select coalesce(json_agg(json_build_object('slot', u.n - 1, 'id', b.id, 'name', b.name,
                'created_at', b.created_at) order by u.n), '[]')
            from unnest(batch_ids) with ordinality u(id, n) join public.batches b on b.id = u.id
        ),
        'labels', (
            select coalesce(json_object_agg(l.id, json_build_object('label', l.label, 'category', l.category)), '{}') from (
                select p.id, p.name as label, null as category from public.personas p
                union all select a.id, a.name, null from public.emotional_arcs a
                union all select t.id, t.name, t.category from public.training_topics t
                union all select t.id, t.name || ' v' || t.version, null from public.prompt_templates t
            ) l
        )
    ) into answer;
    return answer;
end
$$;

-- Some failures for each group. groups: at most 50 of {"kinds", "combinations", "batches"}, each an array or absent;
-- the answer has the same order.
create function public.list_outcome_examples(groups jsonb, most integer) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
    wanted jsonb;
    kind_ids integer[];
    combination_ids integer[];
    batch_ids uuid[];
    answer jsonb := '[]';
begin
    if jsonb_typeof(groups) is distinct from 'array' or jsonb_array_length(groups) > 50 or pg_column_size(groups) > 4000000 then
        raise invalid_parameter_value using message = 'Examples are fetched for a list of at most 50 groups, of at most 4 MB.';
    end if;
    for wanted in select g from jsonb_array_elements(groups) g loop
        kind_ids := case when jsonb_typeof(wanted -> 'kinds') = 'array'
            then array(select k::integer from jsonb_array_elements_text(wanted -> 'kinds') k) end;
        combination_ids := case when jsonb_typeof(wanted -> 'combinations') = 'array'
            then array(select c::integer from jsonb_array_elements_text(wanted -> 'combinations') c) end;
        batch_ids := case when jsonb_typeof(wanted -> 'batches') = 'array'
            then array(select b::uuid from jsonb_array_elements_text(wanted -> 'batches') b) end;
        answer := answer || jsonb_build_array(coalesce((
            select jsonb_agg(jsonb_build_object('id', f.id, 'request_id', e.request_id,
                'truncation_details', left(f.truncation_details, 300)))
            from (
                select o.batch_item_id, o.request_id from public.item_outcomes o
                where o.kind_id is not null
                    and (kind_ids is null or o.kind_id = any (kind_ids))
                    and (combination_ids is null or o.combination_id = any (combination_ids))
                    and (batch_ids is null or o.batch_id = any (batch_ids))
                limit least(greatest(most, 1), 20)
            ) e
            join public.failed_generations f on f.batch_item_id = e.batch_item_id
        ), '[]'));
    end loop;
    return answer;
end
$$;
