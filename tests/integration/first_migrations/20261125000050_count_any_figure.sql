-- Figures of any size, and figures that nobody knows. What a record of a file says of tokens and turns is believed, however
-- odd: no such number may stop a diagnosis or an import. What it does not say counts nowhere, instead of as all or nothing.

-- `least` skips nulls, so items without a token count stood with those that used all of max_tokens. Through numeric, 0.35 in
-- single precision is 7 twentieths, not 6.99. The new column is computed for the rows that are there, too.
alter table public.item_outcomes alter column last_turn type integer, drop column twentieth;
alter table public.item_outcomes add column twentieth smallint generated always as (
    (case when share_used < 1 then floor(share_used::numeric * 20) when share_used >= 1 then 20 end)::smallint
) stored;
comment on column public.item_outcomes.twentieth is 'share_used in twentieths, 20: all of it or more; null where it is not known';

-- Of a prompt without a character nobody can have made a call: there was none, or its length is not known.
alter table public.outcome_combinations alter column prompt_chars drop not null;
comment on column public.outcome_combinations.prompt_chars is
    'Length of the prompt in characters, rounded down to hundreds; null where there was none, or nobody knows it';
update public.outcome_combinations set prompt_chars = null where structured_outputs is null;  -- Only imports do not say that.

-- As in 20261122000050, but turns are as many as they are, sums end at what their columns hold, and a prompt may be unknown.
drop function public.describe_outcomes(uuid[]);
create function public.describe_outcomes(item_ids uuid[]) returns table (
    batch_item_id uuid, created_by uuid, batch_id uuid, persona_id uuid, emotional_arc_id uuid, training_topic_id uuid,
    template_id uuid, model varchar, max_tokens integer, effort text, structured_outputs boolean,
    conversation_category varchar, prompt_chars integer, failure_type varchar, stop_reason varchar,
    truncation_pattern varchar, fingerprint varchar, closed_at timestamptz, output_tokens integer, last_turn integer,
    attempts smallint, duration_ms integer, wasted_ms integer, cost_usd double precision, wasted_usd double precision,
    request_id text, simulated boolean
)
language sql stable set search_path = ''
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
revoke execute on function public.describe_outcomes(uuid[]) from public, anon, authenticated;

-- As in 20261122000050, but for the prompts that are not known.
create or replace function public.note_outcomes(item_ids uuid[]) returns void
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
                and k.prompt_chars is not distinct from o.prompt_chars
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
        and k.prompt_chars is not distinct from o.prompt_chars
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

-- What was noted of generated items with no prompt, or with a very short one.
select public.note_outcomes(array(
    select o.batch_item_id from public.item_outcomes o join public.outcome_combinations k on k.id = o.combination_id
    where k.prompt_chars = 0 and k.structured_outputs is not null
));

-- As in 20261125000030, but for the turns and the length of the prompt.
create or replace function public.note_imported_outcomes(target_import_id uuid, target_batch_id uuid, owner uuid, closed_by timestamptz)
returns void
language plpgsql set search_path = '' set enable_nestloop = off
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('brightrun.note_outcomes', 0));
    insert into public.outcome_combinations (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, conversation_category
    )
    select distinct owner, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.item ->> 'model',
        (r.item ->> 'max_tokens')::integer, coalesce(e.conversation_category, 'not given')
    from public.import_rows r left join public.emotional_arcs e on e.id = r.emotional_arc_id
    where r.import_id = target_import_id
    on conflict do nothing;
    insert into public.failure_kinds (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
    select distinct owner, r.item #>> '{failure,failure_type}', r.item ->> 'stop_reason', r.item #>> '{failure,pattern}',
        r.item #>> '{failure,fingerprint}'
    from public.import_rows r where r.import_id = target_import_id and jsonb_typeof(r.item -> 'failure') = 'object'
    on conflict do nothing;
    insert into public.item_outcomes (
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter, output_tokens, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, simulated
    )
    select r.item_id, owner, target_batch_id, c.id, k.id,
        floor(extract(epoch from coalesce((r.item ->> 'made_at')::timestamptz, closed_by)) / 900)::integer,
        (r.item ->> 'output_tokens')::integer,
        (r.item ->> 'output_tokens')::real / nullif((r.item ->> 'max_tokens')::integer, 0),
        case when jsonb_typeof(r.item -> 'failure') = 'object' then (r.item #>> '{failure,turn_index}')::integer
            else (r.item ->> 'turns')::integer end,
        0, 0, 0, 0, 0, false
    from public.import_rows r
        left join public.emotional_arcs e on e.id = r.emotional_arc_id
        join public.outcome_combinations c
            on c.created_by = owner and c.persona_id = r.persona_id and c.emotional_arc_id = r.emotional_arc_id
            and c.training_topic_id = r.training_topic_id and c.template_id = r.template_id and c.model = r.item ->> 'model'
            and c.max_tokens is not distinct from (r.item ->> 'max_tokens')::integer and c.effort is null
            and c.structured_outputs is null
            and c.conversation_category = coalesce(e.conversation_category, 'not given') and c.prompt_chars is null
        left join public.failure_kinds k
            on k.created_by = owner and k.failure_type = r.item #>> '{failure,failure_type}'
            and k.stop_reason is not distinct from r.item ->> 'stop_reason'
            and k.truncation_pattern is not distinct from r.item #>> '{failure,pattern}'
            and k.fingerprint is not distinct from r.item #>> '{failure,fingerprint}'
    where r.import_id = target_import_id;
end
$$;

-- The combinations that filters mean by how items were made, as public.matching_failures does for failures.
create function public.matching_combinations(filters jsonb) returns setof public.outcome_combinations
language sql stable
as $$
    select c.* from public.outcome_combinations c
    where (filters ->> 'persona_id' is null or c.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or c.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or c.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or c.template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'topic_category' is null or c.training_topic_id in (
            select t.id from public.training_topics t where t.category = filters ->> 'topic_category'))
        and (filters ->> 'conversation_category' is null
            or c.conversation_category = filters ->> 'conversation_category')
        and (filters ->> 'model' is null or c.model = filters ->> 'model')
        and (filters ->> 'structured_outputs' is null
            or c.structured_outputs = (filters ->> 'structured_outputs')::boolean)
        and (filters ->> 'max_tokens' is null or c.max_tokens = (filters ->> 'max_tokens')::integer)
        and (filters ->> 'effort' is null or coalesce(c.effort, 'none') = filters ->> 'effort')
        and (filters ->> 'prompt_from' is null or c.prompt_chars >= (filters ->> 'prompt_from')::integer)
        and (filters ->> 'prompt_to' is null or c.prompt_chars < (filters ->> 'prompt_to')::integer)
$$;
revoke execute on function public.matching_combinations(jsonb) from public, anon;
grant execute on function public.matching_combinations(jsonb) to authenticated;

-- As in 20261125000010, but a reply that used more tokens than its limit, as files say of some, used all of it; and each cell
-- says how many of its items are simulated, so that what is said of some failures is not said of others.
create or replace function public.count_outcomes(filters jsonb, most_batches integer) returns json
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB'
as $$
declare
    asks_for_kinds constant boolean := filters ?| array['failure_type', 'stop_reason', 'truncation_pattern', 'fingerprint'];
    asks_for_turn constant integer := (filters ->> 'turn_index')::integer;
    asks_for_twentieth constant integer := (filters ->> 'limit_twentieth')::integer;
    first_quarter constant integer :=
        floor(extract(epoch from (filters ->> 'date_from')::timestamptz) / 900)::integer;
    end_quarter constant integer := ceil(extract(epoch from (filters ->> 'date_to')::timestamptz) / 900)::integer;
    has_combinations constant boolean := filters ?| array[
        'persona_id', 'emotional_arc_id', 'training_topic_id', 'template_id', 'model', 'topic_category',
        'conversation_category', 'structured_outputs', 'max_tokens', 'effort', 'prompt_from', 'prompt_to'
    ];
    kind_ids integer[];
    combination_ids integer[];
    text_items uuid[];
    batch_ids uuid[];
    slots_from integer;
    answer json;
begin
    select coalesce(array_agg(k.id), '{}') into kind_ids from public.failure_kinds k
    where (filters ->> 'failure_type' is null or k.failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(k.stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null
            or coalesce(k.truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'fingerprint' is null or k.fingerprint = filters ->> 'fingerprint');
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
        floor(extract(epoch from min(t.created_at)) / 900)::integer
    into batch_ids, slots_from from (
        select b.id, b.created_at from public.batches b
        where (filters ->> 'batch_id' is null or b.id = (filters ->> 'batch_id')::uuid) and exists (
            select 1 from public.item_outcomes o
            where o.created_by = b.created_by and o.batch_id = b.id
                and (first_quarter is null or o.quarter >= first_quarter)
                and (end_quarter is null or o.quarter < end_quarter)
                and (not has_combinations or o.combination_id = any (combination_ids))
        )
        order by b.created_at desc, b.id limit most_batches
    ) t;

    with judged as not materialized (
        select o.combination_id, o.quarter, o.last_turn, o.attempts, o.duration_ms, o.wasted_ms, o.cost_usd,
            o.wasted_usd, o.share_used, o.simulated, o.twentieth,
            case when o.quarter >= slots_from then array_position(batch_ids, o.batch_id) end as slot,
            case when o.kind_id is not null and (not asks_for_kinds or o.kind_id = any (kind_ids))
                and (asks_for_turn is null or o.last_turn = asks_for_turn)
                and (asks_for_twentieth is null or o.twentieth = asks_for_twentieth)
                and (text_items is null or o.batch_item_id = any (text_items)) then o.kind_id else 0 end as kind
        from public.item_outcomes o
        where (filters ->> 'batch_id' is null or o.batch_id = (filters ->> 'batch_id')::uuid)
            and (first_quarter is null or o.quarter >= first_quarter)
            and (end_quarter is null or o.quarter < end_quarter)
            and (not has_combinations or o.combination_id = any (combination_ids))
    ), cells as materialized (
        select j.combination_id, coalesce(j.slot - 1, -1) as slot, j.kind, count(*) as items,
            count(*) filter (where j.simulated) as simulated, min(j.share_used) as share_low, max(j.share_used) as share_high,
            sum(j.attempts) as attempts, sum(j.duration_ms) as duration_ms,
            sum(j.wasted_ms) as wasted_ms, sum(j.cost_usd) as cost_usd, sum(j.wasted_usd) as wasted_usd
        from judged j
        group by j.combination_id, j.slot, j.kind
    ), others as materialized (
        select grouping(j.quarter, j.twentieth, j.last_turn) as counted_by, j.quarter, j.twentieth, j.last_turn,
            count(*) filter (where j.kind = 0) as accepted, count(*) filter (where j.kind > 0) as failed,
            bool_or(j.simulated) as simulated
        from judged j
        group by grouping sets ((j.quarter), (j.twentieth), (j.last_turn))
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
        'quarters', (
            select coalesce(json_agg(json_build_object('quarter', o.quarter, 'judged', o.accepted + o.failed,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 3
        ),
        'tokens', (
            select coalesce(json_agg(json_build_object('twentieth', o.twentieth, 'accepted', o.accepted,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 5 and o.twentieth is not null
        ),
        'turns', (
            select coalesce(json_agg(json_build_object('turn', o.last_turn, 'accepted', o.accepted,
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

-- As in 20261125000040, but for the twentieth, which is that of the outcomes, and for prompts that there were not.
create or replace function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable
as $$
    select f.* from public.failed_generations f
    where (filters ->> 'failure_type' is null or f.failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(f.stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null
            or coalesce(f.truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'fingerprint' is null or f.fingerprint = filters ->> 'fingerprint')
        and (filters ->> 'turn_index' is null or f.turn_index = (filters ->> 'turn_index')::integer)
        and (filters ->> 'limit_twentieth' is null
            or case when f.output_tokens < f.max_tokens then floor((f.output_tokens::real / f.max_tokens)::real::numeric * 20)
                when f.output_tokens >= f.max_tokens then 20 end = (filters ->> 'limit_twentieth')::integer)
        and (filters ->> 'batch_id' is null or f.run_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'persona_id' is null or f.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or f.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or f.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or f.template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'topic_category' is null or f.training_topic_id in (
            select t.id from public.training_topics t where t.category = filters ->> 'topic_category'))
        and (filters ->> 'conversation_category' is null or case when f.imported
            then f.emotional_arc_id in (
                select e.id from public.emotional_arcs e where e.conversation_category = filters ->> 'conversation_category')
            else f.run_id in (
                select b.id from public.batches b where b.conversation_category = filters ->> 'conversation_category') end)
        and (filters ->> 'model' is null
            or f.run_id in (select b.id from public.batches b where b.model = filters ->> 'model')
            or (f.run_id is null and f.model = filters ->> 'model'))
        and (filters ->> 'structured_outputs' is null
            or f.structured_outputs_enabled = (filters ->> 'structured_outputs')::boolean)
        and (filters ->> 'max_tokens' is null or f.max_tokens = (filters ->> 'max_tokens')::integer)
        and (filters ->> 'effort' is null or coalesce(f.effort, 'none') = filters ->> 'effort')
        and (filters ->> 'prompt_from' is null or nullif(f.prompt_length, 0) >= (filters ->> 'prompt_from')::integer)
        and (filters ->> 'prompt_to' is null or nullif(f.prompt_length, 0) < (filters ->> 'prompt_to')::integer)
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)))
$$;
