-- Imports beside alerts and filters.
--
-- What was imported raises no alert: it was made elsewhere, and often long ago. As in 20261125000020 but for that.

-- Rates of a time are counted in the index alone, now with the batch, too.
drop index public.idx_item_outcomes_rate;
create index idx_item_outcomes_rate on public.item_outcomes (created_by, quarter) include (kind_id, simulated, batch_id);

create or replace function public.count_alert_facts() returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    quarter_now integer := floor(extract(epoch from now()) / 900)::integer;
    quarter_day integer := quarter_now - 96;
    imported_batches uuid[] := array(select b.id from public.batches b where b.imported);
begin
    return jsonb_build_object(
        'now', now(),
        'storage_bytes', (public.measure_storage() ->> 'bytes')::bigint,
        'open', coalesce((
            select jsonb_agg(jsonb_build_object('rule', a.rule, 'subject', a.subject, 'created_by', a.created_by))
            from public.alerts a where a.resolved_at is null
        ), '[]'),
        'owners', coalesce((
            select jsonb_agg(jsonb_build_object(
                'created_by', o.created_by, 'first_batch_at', o.first_batch_at, 'simulated', coalesce(r.simulated, false),
                'day', jsonb_build_object('judged', coalesce(r.day_judged, 0), 'failed', coalesce(r.day_failed, 0)),
                'week', jsonb_build_object('judged', coalesce(r.week_judged, 0), 'failed', coalesce(r.week_failed, 0)),
                'week_before_day', jsonb_build_object(
                    'judged', coalesce(r.judged - r.day_judged, 0), 'failed', coalesce(r.failed - r.day_failed, 0)),
                'earlier_judged', e.judged, 'patterns', p.patterns
            ))
            from (
                select b.created_by, min(b.created_at) as first_batch_at from public.batches b where not b.imported
                group by b.created_by
            ) o
            left join lateral (
                select i.simulated, count(*) as judged, count(i.kind_id) as failed,
                    count(*) filter (where i.quarter > quarter_day) as day_judged,
                    count(i.kind_id) filter (where i.quarter > quarter_day) as day_failed,
                    count(*) filter (where i.quarter > quarter_now - 7 * 96) as week_judged,
                    count(i.kind_id) filter (where i.quarter > quarter_now - 7 * 96) as week_failed
                from public.item_outcomes i
                where i.created_by = o.created_by and i.quarter > quarter_now - 8 * 96
                    and i.batch_id <> all (imported_batches)
                group by i.simulated order by i.simulated limit 1
            ) r on true
            cross join lateral (
                select count(*) as judged from (
                    select 1 from public.item_outcomes i
                    where i.created_by = o.created_by and i.quarter <= quarter_day
                        and i.batch_id <> all (imported_batches)
                    order by i.quarter desc limit 100
                ) earlier
            ) e
            cross join lateral (
                select coalesce(jsonb_agg(jsonb_build_object('pattern', s.pattern, 'first_seen_at', s.first_seen_at)), '[]')
                    as patterns
                from (
                    select k.truncation_pattern as pattern, to_timestamp(min(f.quarter) * 900.0) as first_seen_at
                    from public.failure_kinds k
                    cross join lateral (select min(i.quarter) as quarter from public.item_outcomes i
                        where i.kind_id = k.id and i.batch_id <> all (imported_batches)) f
                    where k.created_by = o.created_by and k.truncation_pattern is not null
                    group by k.truncation_pattern having min(f.quarter) > quarter_day
                ) s
            ) p
        ), '[]')
    );
end
$$;

-- As in 20261125000010, but an imported failure's category is that of its arc: one import holds both.
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
            or least(floor(f.output_tokens::real / f.max_tokens * 20), 20) = (filters ->> 'limit_twentieth')::integer)
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
        and (filters ->> 'prompt_from' is null or f.prompt_length >= (filters ->> 'prompt_from')::integer)
        and (filters ->> 'prompt_to' is null or f.prompt_length < (filters ->> 'prompt_to')::integer)
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or f.id in (select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)))
$$;
