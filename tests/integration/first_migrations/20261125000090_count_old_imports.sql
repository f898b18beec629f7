-- As in 20261125000050, with two differences.
-- Items of imported batches may have closed long before the batch came to be, so those batches are looked up for items of any age.
-- In the histogram of tokens what failed in another way than is asked for is neither accepted nor failed: it is left out.
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
        min(case when t.imported then 0 else floor(extract(epoch from t.created_at) / 900) end)::integer
    into batch_ids, slots_from from (
        select b.id, b.created_at, b.imported from public.batches b
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
            o.wasted_usd, o.share_used, o.simulated, o.twentieth, o.kind_id is null as is_accepted,
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
            count(*) as judged, count(*) filter (where j.is_accepted) as accepted,
            count(*) filter (where j.kind > 0) as failed,
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
            select coalesce(json_agg(json_build_object('quarter', o.quarter, 'judged', o.judged,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 3
        ),
        'tokens', (
            select coalesce(json_agg(json_build_object('twentieth', o.twentieth, 'accepted', o.accepted,
                'failed', o.failed)), '[]')
            from others o where o.counted_by = 5 and o.twentieth is not null
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

-- As in 20261125000050, but each imported record has a model of its own, and its batch may have none.
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
            or (not f.imported and f.run_id in (select b.id from public.batches b where b.model = filters ->> 'model'))
            or ((f.imported or f.run_id is null) and f.model = filters ->> 'model'))
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

-- As in 20261122000041, but of a paused batch up to what was judged last: a pause would make its curve one point.
create or replace function public.read_batch_trend(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    with span as (
        select b.started_at as begins_at,
            extract(epoch from coalesce(b.completed_at, case when b.status = 'paused' then (
                select max(p.finished_at) from public.batch_items p where p.batch_id = b.id
            ) end, now()) - b.started_at) / greatest(max_points - 1, 1) as shortest
        from public.batches b where b.id = target_batch_id and b.started_at is not null
    ), stretch as (
        select s.begins_at, coalesce(
            (select min(w) from unnest(array[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]) w
                where w >= s.shortest),
            ceil(s.shortest / 86400)::integer * 86400
        ) as seconds
        from span s
    ), counted as (
        select greatest(least(floor(extract(epoch from i.finished_at - s.begins_at) / s.seconds)::integer, max_points - 1), 0)
                as number,
            count(*) filter (where i.status = 'completed') as accepted, count(*) filter (where i.status = 'failed') as failed
        from stretch s join public.batch_items i
            on i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at is not null
        group by 1
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'begins_at', s.begins_at + make_interval(secs => (c.number * s.seconds)::double precision),
        'seconds', s.seconds, 'accepted', c.accepted, 'failed', c.failed
    ) order by c.number), '[]')
    from counted c cross join stretch s
$$;
