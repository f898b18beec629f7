-- One truth for each rule: how a filter compares, what a call is expected to cost, and what the items of a batch came to.

-- Says whether a failure is of the kind that filters ask for. Like fits_settings without a SET clause and with no question to a
-- table, so that the planner puts the comparisons in place, and an index is used for those that are asked for.
create function public.fits_kind(
    filters jsonb, failure_type text, stop_reason text, truncation_pattern text, fingerprint text
) returns boolean
language sql immutable parallel safe
as $$
    select (filters ->> 'failure_type' is null or failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null or coalesce(truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'fingerprint' is null or fingerprint = filters ->> 'fingerprint')
$$;

-- Says whether an item was made as filters ask for; what needs another table (categories, the model of a batch) is its caller's.
create function public.fits_settings(
    filters jsonb, persona_id uuid, emotional_arc_id uuid, training_topic_id uuid, template_id uuid, structured_outputs boolean,
    max_tokens integer, effort text, prompt_length integer
) returns boolean
language sql immutable parallel safe
as $$
    select (filters ->> 'persona_id' is null or persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'structured_outputs' is null or structured_outputs = (filters ->> 'structured_outputs')::boolean)
        and (filters ->> 'max_tokens' is null or max_tokens = (filters ->> 'max_tokens')::integer)
        and (filters ->> 'effort' is null or coalesce(effort, 'none') = filters ->> 'effort')
        and (filters ->> 'prompt_from' is null or prompt_length >= (filters ->> 'prompt_from')::integer)
        and (filters ->> 'prompt_to' is null or prompt_length < (filters ->> 'prompt_to')::integer)
$$;

-- The caller's failed generations that match. `filters` holds any of failure_type, stop_reason ('none': no reply), truncation_pattern
-- ('none': no pattern), fingerprint, turn_index, limit_twentieth (share of max_tokens used, in twentieths; 20: all of it), batch_id,
-- persona_id, emotional_arc_id, training_topic_id, template_id, topic_category, conversation_category (of an imported failure that
-- of its arc), model (of an imported failure its own), structured_outputs, max_tokens, effort ('none': the model's own), prompt_from
-- (included), prompt_to (not), date_from (included), date_to (not) and text (words, or their beginnings). Without a SET clause and
-- not a definer's, so that the planner puts its body in place.
create or replace function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable
as $$
    select f.* from public.failed_generations f
    where public.require_filters(filters)
        and public.fits_kind(filters, f.failure_type, f.stop_reason, f.truncation_pattern, f.fingerprint)
        and (filters ->> 'turn_index' is null or f.turn_index = (filters ->> 'turn_index')::integer)
        and (filters ->> 'limit_twentieth' is null
            or case when f.output_tokens < f.max_tokens then floor((f.output_tokens::real / f.max_tokens)::real::numeric * 20)
                when f.output_tokens >= f.max_tokens then 20 end = (filters ->> 'limit_twentieth')::integer)
        and (filters ->> 'batch_id' is null or f.run_id = (filters ->> 'batch_id')::uuid)
        and public.fits_settings(filters, f.persona_id, f.emotional_arc_id, f.training_topic_id, f.template_id,
            f.structured_outputs_enabled, f.max_tokens, f.effort, nullif(f.prompt_length, 0))
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
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)))
$$;

-- The caller's combinations of settings that match: those of the filters of matching_failures that say how an item was made.
create or replace function public.matching_combinations(filters jsonb) returns setof public.outcome_combinations
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

-- Counts judged items by combination, batch and kind; the newest batches, at most a hundred, stand for themselves, the others
-- together. Items of imported batches may have closed long before the batch came to be, so those batches are looked up for items of
-- any age. In the histogram of tokens what failed in another way than is asked for is neither accepted nor failed: it is left out.
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
        where (filters ->> 'batch_id' is null or b.id = (filters ->> 'batch_id')::uuid) and exists (
            select 1 from public.item_outcomes o
            where o.created_by = b.created_by and o.batch_id = b.id
                and (first_quarter is null or o.quarter >= first_quarter)
                and (end_quarter is null or o.quarter < end_quarter)
                and (not has_combinations or o.combination_id = any (combination_ids))
        )
        order by b.created_at desc, b.id limit least(greatest(most_batches, 1), 100)
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

-- What a batch has spent, and what one more call is expected to cost: its mean so far, before the first its share of the estimate.
-- A reply whose price is not known was not free.
create function public.measure_budget(target_batch_id uuid, out spent_usd numeric, out call_usd numeric)
language sql stable set search_path = ''
as $$
    select p.spent + p.unpriced_replies * c.call_usd, c.call_usd
    from (
        select coalesce(sum(a.cost_usd), 0) as spent, count(a.cost_usd) as paid_calls,
            count(*) filter (where a.cost_usd is null and a.stop_reason is not null) as unpriced_replies
        from public.generation_attempts a where a.batch_id = target_batch_id
    ) p
    cross join lateral (
        select case when p.paid_calls > 0 then p.spent / p.paid_calls else coalesce((
            select b.estimated_cost_usd / nullif((
                select count(*) from public.batch_items i where i.batch_id = b.id
            ), 0) from public.batches b where b.id = target_batch_id
        ), 0) end as call_usd
    ) c
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
        select m.spent_usd, m.call_usd into spent, expected from public.measure_budget(target_batch_id) m;
        select count(*) into in_flight from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'processing';
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

-- One row for each batch: always planned = accepted + failed + cancelled + running + queued. Pace is measured over what was judged
-- last, since the batch was last resumed: a pause is no part of it. `needed_budget_usd` is the least with which a paused batch can go
-- on, null where its budget does not hold it back.
create or replace view public.batch_progress with (security_invoker = true) as
select b.id, b.name, b.status, b.status_reason, b.conversation_category, b.model, b.max_tokens, b.effort,
    b.structured_outputs, b.concurrency, b.error_handling, b.raise_max_tokens, b.budget_usd, b.canary_items, b.retry_of,
    b.pace_limit, b.pace_reason, b.pace_changed_at,
    b.estimated_seconds, b.estimated_cost_usd, b.created_by,
    b.created_at, b.updated_at, b.started_at, b.completed_at,
    i.planned, i.accepted, i.failed, i.cancelled, i.running, i.queued,
    a.attempts, a.cost_usd, a.input_tokens, a.output_tokens, a.simulated, b.imported,
    case when r.judged > 30 and b.completed_at is null then r.since when b.started_at is not null then w.since end as recent_since,
    r.until as recent_until,
    case when b.completed_at is null then least(r.judged, 30) else r.judged end as recent_judged,
    case when b.status = 'paused' and b.budget_usd is not null and i.queued + i.running > 0 then (
        select m.spent_usd + m.call_usd from public.measure_budget(b.id) m
        where m.spent_usd >= b.budget_usd or m.spent_usd + m.call_usd > b.budget_usd
    ) end as needed_budget_usd
from public.batches b
cross join lateral (
    select count(*)::integer as planned,
        count(*) filter (where bi.status = 'completed')::integer as accepted,
        count(*) filter (where bi.status = 'failed')::integer as failed,
        count(*) filter (where bi.status = 'cancelled')::integer as cancelled,
        count(*) filter (where bi.status = 'processing')::integer as running,
        count(*) filter (where bi.status = 'queued')::integer as queued
    from public.batch_items bi where bi.batch_id = b.id
) i
cross join lateral (
    select count(*)::integer as attempts, coalesce(sum(ga.cost_usd), 0) as cost_usd,
        coalesce(sum(ga.input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(ga.output_tokens), 0)::bigint as output_tokens, coalesce(bool_or(ga.simulated), false) as simulated
    from public.generation_attempts ga where ga.batch_id = b.id
) a
cross join lateral (
    select greatest(b.started_at, b.watched_since) as since
) w
-- 30 closed items and the moment before them, read from the end of idx_batch_items_finished; of a batch that has ended, all.
cross join lateral (
    select count(*)::integer as judged, min(latest.finished_at) as since, max(latest.finished_at) as until
    from (
        select bi.finished_at from public.batch_items bi
        where bi.batch_id = b.id and bi.status in ('completed', 'failed') and bi.finished_at >= w.since
        order by bi.finished_at desc
        limit case when b.completed_at is null then 31 end
    ) latest
) r;

-- What the items of a batch came to is told by watch_batch alone, to the page and to the command line.
drop view public.batch_failure_types, public.batch_stop_reasons;

revoke execute on function
    public.fits_kind(jsonb, text, text, text, text),
    public.fits_settings(jsonb, uuid, uuid, uuid, uuid, boolean, integer, text, integer),
    public.measure_budget(uuid)
    from public, anon;
grant execute on function
    public.fits_kind(jsonb, text, text, text, text),
    public.fits_settings(jsonb, uuid, uuid, uuid, uuid, boolean, integer, text, integer),
    public.measure_budget(uuid)
    to authenticated, service_role;
