-- Reading outcomes for diagnosis: one pass over the narrow table, counted in several ways at once.
--
-- `filters` are those of the failures (8_create_failure_functions). batch_id, persona_id, emotional_arc_id,
-- training_topic_id, template_id, model, date_from and date_to choose which items are judged; failure_type, stop_reason,
-- truncation_pattern, fingerprint and text choose which of them count as failed. Times are taken in quarters of an hour.
-- The functions run with the caller's rights, so row-level security decides what they see. They are planned anew at each call:
-- what a filter leaves out shall cost nothing, and what it names shall use an index.

create function public.count_outcomes(filters jsonb, most_batches integer) returns json
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan set jit = off set work_mem = '64MB'
as $$
declare
    asks_for_kinds constant boolean := filters ?| array['failure_type', 'stop_reason', 'truncation_pattern', 'fingerprint'];
    first_quarter constant integer :=
        floor(extract(epoch from (filters ->> 'date_from')::timestamptz) / 900)::integer;
    end_quarter constant integer := ceil(extract(epoch from (filters ->> 'date_to')::timestamptz) / 900)::integer;
    has_combinations constant boolean := filters ?| array[
        'persona_id', 'emotional_arc_id', 'training_topic_id', 'template_id', 'model'
    ];
    kind_ids integer[];
    combination_ids integer[];
    text_items uuid[];
    batch_ids uuid[];
    answer json;
begin
    select coalesce(array_agg(k.id), '{}') into kind_ids from public.failure_kinds k
    where (filters ->> 'failure_type' is null or k.failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(k.stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null
            or coalesce(k.truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'fingerprint' is null or k.fingerprint = filters ->> 'fingerprint');
    if has_combinations then
        select coalesce(array_agg(c.id), '{}') into combination_ids from public.outcome_combinations c
        where (filters ->> 'persona_id' is null or c.persona_id = (filters ->> 'persona_id')::uuid)
            and (filters ->> 'emotional_arc_id' is null or c.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
            and (filters ->> 'training_topic_id' is null or c.training_topic_id = (filters ->> 'training_topic_id')::uuid)
            and (filters ->> 'template_id' is null or c.template_id = (filters ->> 'template_id')::uuid)
            and (filters ->> 'model' is null or c.model = filters ->> 'model');
    end if;
    if filters ->> 'text' is not null then
        select coalesce(array_agg(f.batch_item_id), '{}') into text_items from public.failed_generations f
        where f.batch_item_id is not null
            and strpos(lower(concat_ws(' ', f.truncation_details, f.error_message, f.response_content)),
                lower(filters ->> 'text')) > 0;
    end if;
    -- The newest batches stand for themselves, the others together: that bounds what is sent. Not those with the most failures:
    -- whoever is picked for failing looks guilty by the pick alone.
    select coalesce(array_agg(t.id order by t.created_at desc, t.id), '{}') into batch_ids from (
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
        select o.combination_id, o.batch_id, o.quarter, o.last_turn, o.attempts, o.duration_ms, o.wasted_ms, o.cost_usd,
            o.wasted_usd, o.share_used, o.simulated, o.twentieth,
            case when o.kind_id is not null and (not asks_for_kinds or o.kind_id = any (kind_ids))
                and (text_items is null or o.batch_item_id = any (text_items)) then o.kind_id else 0 end as kind
        from public.item_outcomes o
        where (filters ->> 'batch_id' is null or o.batch_id = (filters ->> 'batch_id')::uuid)
            and (first_quarter is null or o.quarter >= first_quarter)
            and (end_quarter is null or o.quarter < end_quarter)
            and (not has_combinations or o.combination_id = any (combination_ids))
    ), cells as materialized (
        select j.combination_id, coalesce(s.slot, -1) as slot, j.kind, count(*) as items, min(j.share_used) as share_low,
            max(j.share_used) as share_high, sum(j.attempts) as attempts, sum(j.duration_ms) as duration_ms,
            sum(j.wasted_ms) as wasted_ms, sum(j.cost_usd) as cost_usd, sum(j.wasted_usd) as wasted_usd,
            bool_or(j.simulated) as simulated
        from judged j
        left join (select u.id, (u.n - 1)::integer as slot from unnest(batch_ids) with ordinality u(id, n)) s
            on s.id = j.batch_id
        group by j.combination_id, s.slot, j.kind
    ), others as materialized (
        select grouping(j.quarter, j.twentieth, j.last_turn) as counted_by, j.quarter, j.twentieth, j.last_turn,
            count(*) filter (where j.kind = 0) as accepted, count(*) filter (where j.kind > 0) as failed
        from judged j
        group by grouping sets ((j.quarter), (j.twentieth), (j.last_turn))
    )
    select json_build_object(
        'cells', (
            select json_build_object(
                'combination', coalesce(array_to_json(array_agg(c.combination_id)), '[]'),
                'slot', coalesce(array_to_json(array_agg(c.slot)), '[]'),
                'kind', coalesce(array_to_json(array_agg(c.kind)), '[]'),
                'items', coalesce(array_to_json(array_agg(c.items)), '[]'),
                'share_low', coalesce(array_to_json(array_agg(case when c.kind > 0 then (c.share_low * 10000)::integer end)), '[]'),
                'share_high', coalesce(array_to_json(array_agg(case when c.kind > 0 then (c.share_high * 10000)::integer end)), '[]')
            ) from cells c
        ),
        'totals', (
            select coalesce(json_agg(t), '[]') from (
                select c.kind, sum(c.items) as items, sum(c.attempts) as attempts, sum(c.duration_ms) as duration_ms,
                    sum(c.wasted_ms) as wasted_ms, sum(c.cost_usd) as cost_usd, sum(c.wasted_usd) as wasted_usd
                from cells c group by c.kind
            ) t
        ),
        'simulated', (select coalesce(bool_or(c.simulated), false) from cells c),
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

-- groups: [{"kinds", "combinations", "batches"}], each an array or absent; returns some examples for each, in the same order.
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

revoke execute on function public.count_outcomes(jsonb, integer), public.list_outcome_examples(jsonb, integer)
    from public, anon, authenticated;
grant execute on function public.count_outcomes(jsonb, integer), public.list_outcome_examples(jsonb, integer)
    to authenticated, service_role;
