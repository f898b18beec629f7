-- Names that say what they hold, and nothing that no one needs: quarter hours and bins of 5 % in what came of items, the
-- circuit breaker without a window that nobody sets, no copy of the output tokens that nothing reads, and one index instead
-- of two of which one holds the other.

alter table public.item_outcomes rename column quarter to quarter_hour;
alter table public.item_outcomes rename column twentieth to share_bin;
comment on column public.item_outcomes.quarter_hour is 'When it closed, in quarter hours since 1970: every time zone''s days are made of them';
comment on column public.item_outcomes.share_bin is 'share_used in bins of 5 %, 20: all of it or more; null where it is not known';

drop index public.idx_conversations_coverage;
comment on column public.failed_generations.fingerprint is
    'Key of the failure signature: shape of the end, or normalised message; the worker computes it (core/domain/diagnosis/fingerprint.py)';
comment on column public.batches.breaker_share is
    'The batch is paused when more than this share of its last 20 closed items, or of its canary, failed';
comment on column public.batches.canary_items is
    'So many items run first, alone; the rest only if enough of them are accepted. 0: no canary';

-- Pauses, resumes or cancels a batch of the caller (`action`); resuming may set a new budget. Returns {"outcome":
-- "done" | "rejected" | "not_found", "status", "reason"}.
create or replace function public.control_batch(target_batch_id uuid, action text, new_budget_usd numeric default null)
returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    batch public.batches;
begin
    select b.* into batch from public.batches b
    where b.id = target_batch_id and b.created_by = auth.uid() for update;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if not (new_budget_usd > 0 and new_budget_usd < 1e6) then  -- NaN is greater than any number.
        return jsonb_build_object('outcome', 'rejected', 'status', batch.status,
            'reason', 'Budget: more than $0 and less than $1,000,000.');
    end if;
    if action = 'pause' and batch.status in ('queued', 'processing') then
        update public.batches b set status = 'paused', status_reason = 'Paused by you.', updated_at = now()
        where b.id = target_batch_id;
    elsif action = 'resume' and batch.status = 'paused' then
        update public.batches b
        set status = case when b.started_at is null then 'queued' else 'processing' end, status_reason = null,
            watched_since = now(), budget_usd = coalesce(new_budget_usd, b.budget_usd), updated_at = now()
        where b.id = target_batch_id;
        perform public.settle_batch(target_batch_id);
    elsif action = 'cancel' and batch.status in ('queued', 'processing', 'paused') then
        perform public.stop_batch(target_batch_id, 'cancelled', 'Cancelled by you.');
    else
        return jsonb_build_object('outcome', 'rejected', 'status', batch.status,
            'reason', format('A batch that is %s cannot be %s.', batch.status,
                case action when 'pause' then 'paused' when 'resume' then 'resumed' when 'cancel' then 'cancelled'
                    else 'changed by "' || left(action, 20) || '"' end));
    end if;
    return jsonb_build_object('outcome', 'done',
        'status', (select b.status from public.batches b where b.id = target_batch_id));
end
$$;

-- How many more items a batch may lease: none beyond its canary until that has passed, none beyond its budget. Pauses
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
                'Paused automatically: %s of the %s canary items failed (more than %s %%). Look at the failures, then resume or cancel.',
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
                'Paused automatically: the budget of $%s is reached ($%s spent, about $%s a call). Raise it or cancel.',
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

-- The circuit breaker: looks at a batch after one of its items failed, and pauses it where it is not worth going on.
-- The caller holds the batch's row lock. Two signs count, both among the items closed since the analyst last resumed
-- the batch: the last three failed with the same signature, nothing was accepted, and the cause is not the text of a
-- reply (no reply came, a limit cut it, or our own code raised), so a setting, a template or the service is to blame
-- and the next item would fail alike; or more than a share of the last twenty failed, for whatever reasons.
create or replace function public.check_breaker(target_batch_id uuid) returns void
language plpgsql set search_path = ''
as $$
declare
    alike constant integer := 3;
    latest constant integer := 20;
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
        order by i.finished_at desc limit latest
    ) r;
    if closed >= latest and failed > batch.breaker_share * closed then
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

-- Notes what came of the items of an import. note_outcomes cannot: model and limits are those of each record, not of
-- a batch. Turns and prompt lengths are as the record says, however odd, or unknown. Without nested loops: these rows
-- have no statistics yet, and a join planned for a few of them takes minutes.
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
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter_hour, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, simulated
    )
    select r.item_id, owner, target_batch_id, c.id, k.id,
        floor(extract(epoch from coalesce((r.item ->> 'made_at')::timestamptz, closed_by)) / 900)::integer,
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

-- Makes a batch of everything that was staged, and forgets the stage. The time limit is for hosted Supabase, which
-- ends an analyst's call after seconds. Asking again, while it runs or later, returns the same batch. Returns
-- {"outcome": "finished", "batch_id"}, {"outcome": "known", "known"} where the same file was imported meanwhile, or
-- {"outcome": "rejected" | "not_found", "reason"}.
create or replace function public.finish_import(target_import_id uuid) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '300s' set plan_cache_mode = force_custom_plan
as $$
declare
    max_items constant integer := 100000;
    import public.imports;
    finished constant timestamptz := now();
    new_batch_id uuid := gen_random_uuid();
    known jsonb;
    planned integer;
    failed integer;
begin
    select i.* into import from public.imports i where i.id = target_import_id and i.created_by = auth.uid() for update;
    if not found then
        return coalesce((
            select jsonb_build_object('outcome', 'finished', 'batch_id', f.batch_id) from public.import_files f
            where f.import_id = target_import_id and f.created_by = auth.uid() limit 1
        ), jsonb_build_object('outcome', 'not_found'));
    end if;
    perform pg_advisory_xact_lock(hashtextextended('brightrun.finish_import ' || import.created_by, 0));
    select jsonb_agg(jsonb_build_object('digest', f.digest, 'batch_id', b.id, 'batch_name', b.name)) into known
    from public.import_files f join public.batches b on b.id = f.batch_id
    where f.created_by = import.created_by and f.digest in (select g ->> 'digest' from jsonb_array_elements(import.files) g);
    if known is not null then
        delete from public.imports i where i.id = target_import_id;
        return jsonb_build_object('outcome', 'known', 'known', known);
    end if;
    select count(*), count(*) filter (where jsonb_typeof(r.item -> 'failure') = 'object') into planned, failed
    from public.import_rows r where r.import_id = target_import_id;
    if planned not between 1 and max_items then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('An import holds 1 to %s conversations; this one has %s. Import the files in parts.', max_items, planned));
    end if;

    perform public.resolve_import_names(target_import_id, import.created_by);
    insert into public.batches (
        id, name, status, status_reason, imported, conversation_category, model, max_tokens, structured_outputs, selection,
        snapshot, created_by, completed_at
    )
    select new_batch_id, import.name, case when failed = planned then 'failed' else 'completed' end,
        case when failed = planned then 'No conversation was accepted.' end, true,
        -- A batch has one category and one model; those of each record stand in its outcome.
        case when bool_and(coalesce(e.conversation_category = 'edge', false)) then 'edge' else 'core' end,
        case when count(distinct r.item ->> 'model') = 1 then min(r.item ->> 'model') else 'several models' end,
        case when count(distinct r.item ->> 'max_tokens') = 1 and count(r.item ->> 'max_tokens') = planned
            then min((r.item ->> 'max_tokens')::integer) end,
        null, jsonb_build_object('files', import.files), public.snapshot_import(target_import_id), import.created_by, finished
    from public.import_rows r left join public.emotional_arcs e on e.id = r.emotional_arc_id
    where r.import_id = target_import_id;

    insert into public.batch_items (
        id, batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, status, imported,
        created_by, finished_at
    )
    select r.item_id, new_batch_id, row_number() over (order by r.position) - 1, r.persona_id, r.emotional_arc_id,
        r.training_topic_id, r.template_id,
        case when e.conversation_category = 'edge' then 'edge_case' else coalesce(e.tier, 'template') end,
        case when jsonb_typeof(r.item -> 'failure') = 'object' then 'failed' else 'completed' end, true, import.created_by,
        coalesce((r.item ->> 'made_at')::timestamptz, finished)
    from public.import_rows r left join public.emotional_arcs e on e.id = r.emotional_arc_id
    where r.import_id = target_import_id;

    insert into public.failed_generations (
        run_id, batch_item_id, prompt, prompt_length, model, max_tokens, structured_outputs_enabled, raw_response,
        response_content, stop_reason, input_tokens, output_tokens, failure_type, truncation_pattern, truncation_details,
        confidence, turn_index, created_at, created_by, persona_id, emotional_arc_id, training_topic_id, template_id,
        attempt_count, simulated, fingerprint, imported
    )
    select new_batch_id, r.item_id, '', 0, r.item ->> 'model', (r.item ->> 'max_tokens')::integer, null,
        jsonb_build_object('imported_from', r.item -> 'source'), f.text, r.item ->> 'stop_reason',
        (r.item ->> 'input_tokens')::integer, (r.item ->> 'output_tokens')::integer, f.failure_type, f.pattern, f.details,
        f.confidence, f.turn_index, coalesce((r.item ->> 'made_at')::timestamptz, finished), import.created_by, r.persona_id,
        r.emotional_arc_id, r.training_topic_id, r.template_id, 0, false, f.fingerprint, true
    from public.import_rows r
        cross join lateral jsonb_to_record(r.item -> 'failure') as f(
            failure_type text, pattern text, confidence text, details text, turn_index integer, text text, fingerprint text
        )
    where r.import_id = target_import_id and jsonb_typeof(r.item -> 'failure') = 'object';

    perform public.note_imported_outcomes(target_import_id, new_batch_id, import.created_by, finished);
    insert into public.import_files (batch_id, import_id, created_by, digest, name)
    select new_batch_id, target_import_id, import.created_by, g ->> 'digest', g ->> 'name' from jsonb_array_elements(import.files) g;
    delete from public.imports i where i.id = target_import_id;
    return jsonb_build_object('outcome', 'finished', 'batch_id', new_batch_id);
end
$$;

-- Notes what came of judged items; noting an item again replaces its row. A prompt of length 0 was not sent, or its
-- length is not known: null.
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
    on conflict (batch_item_id) do update
    set combination_id = excluded.combination_id, kind_id = excluded.kind_id, quarter_hour = excluded.quarter_hour,
        share_used = excluded.share_used, last_turn = excluded.last_turn,
        attempts = excluded.attempts, duration_ms = excluded.duration_ms, wasted_ms = excluded.wasted_ms,
        cost_usd = excluded.cost_usd, wasted_usd = excluded.wasted_usd, request_id = excluded.request_id,
        simulated = excluded.simulated;
end
$$;

-- What the rules look at: {"now", "storage_bytes", "open": [{"rule", "subject", "created_by"}], "owners": [...]}. An
-- owner whose last eight days hold anything that the real Claude wrote is judged by that alone, others by what the
-- simulated one wrote. Imports raise no alert: they were made elsewhere, and often long ago. `earlier_judged` counts
-- what was judged before the last day, up to a hundred.
create or replace function public.count_alert_facts() returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    quarter_hour_now integer := floor(extract(epoch from now()) / 900)::integer;
    quarter_hour_a_day_ago integer := quarter_hour_now - 96;
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
                    count(*) filter (where i.quarter_hour > quarter_hour_a_day_ago) as day_judged,
                    count(i.kind_id) filter (where i.quarter_hour > quarter_hour_a_day_ago) as day_failed,
                    count(*) filter (where i.quarter_hour > quarter_hour_now - 7 * 96) as week_judged,
                    count(i.kind_id) filter (where i.quarter_hour > quarter_hour_now - 7 * 96) as week_failed
                from public.item_outcomes i
                where i.created_by = o.created_by and i.quarter_hour > quarter_hour_now - 8 * 96
                    and i.batch_id <> all (imported_batches)
                group by i.simulated order by i.simulated limit 1
            ) r on true
            cross join lateral (
                select count(*) as judged from (
                    select 1 from public.item_outcomes i
                    where i.created_by = o.created_by and i.quarter_hour <= quarter_hour_a_day_ago
                        and i.batch_id <> all (imported_batches)
                    order by i.quarter_hour desc limit 100
                ) earlier
            ) e
            cross join lateral (
                select coalesce(jsonb_agg(jsonb_build_object('pattern', s.pattern, 'first_seen_at', s.first_seen_at)), '[]')
                    as patterns
                from (
                    select k.truncation_pattern as pattern, to_timestamp(min(f.quarter_hour) * 900.0) as first_seen_at
                    from public.failure_kinds k
                    cross join lateral (select min(i.quarter_hour) as quarter_hour from public.item_outcomes i
                        where i.kind_id = k.id and i.batch_id <> all (imported_batches)) f
                    where k.created_by = o.created_by and k.truncation_pattern is not null
                    group by k.truncation_pattern having min(f.quarter_hour) > quarter_hour_a_day_ago
                ) s
            ) p
        ), '[]')
    );
end
$$;

-- The functions above use them no longer.
alter table public.batches drop column breaker_window;
alter table public.item_outcomes drop column output_tokens;

update public.batches b
set status_reason = case b.status_reason when 'Paused by the analyst.' then 'Paused by you.'
    when 'Cancelled by the analyst.' then 'Cancelled by you.'
    when 'No conversation passed.' then 'No conversation was accepted.'
    else replace(b.status_reason, 'Paused by itself:', 'Paused automatically:') end
where b.status_reason in ('Paused by the analyst.', 'Cancelled by the analyst.', 'No conversation passed.')
    or starts_with(b.status_reason, 'Paused by itself:');
