-- Figures that mislead nobody: estimates rest on replies, a batch's curve on groups of as many items each, a limit counts
-- what is covered, a retry leaves out what another has fixed, batches differ by name, and neither comparisons nor imports
-- are part of what is shown unless they are asked for. Suitable personas, arcs and topics must be there.

create index idx_batches_name on public.batches (created_by, name);

-- Says which of the keys that an arc or a topic names as suitable nobody has; null where all are there.
create or replace function public.refuse_unknown_keys(persona_keys text[], arc_keys text[], topic_keys text[]) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'Suitable ' || string_agg(u.words, '; suitable ' order by u.words)
        || '. Use keys that the Scaffolding page lists, one per line.')
    from (
        select named.what || ': ' || left(string_agg(left(named.key, 60), ', ' order by named.key), 100) || ' does not exist' as words
        from (
            select 'personas' as what, k as key from unnest(persona_keys) k
            where not exists (select 1 from public.personas p where p.persona_key = k)
            union all select 'emotional arcs', k from unnest(arc_keys) k
            where not exists (select 1 from public.emotional_arcs a where a.arc_key = k)
            union all select 'topics', k from unnest(topic_keys) k
            where not exists (select 1 from public.training_topics t where t.topic_key = k)
        ) named
        group by named.what
    ) u
    having count(*) > 0
$$;

revoke execute on function public.refuse_unknown_keys(text[], text[], text[]) from public, anon, authenticated;
grant execute on function public.refuse_unknown_keys(text[], text[], text[]) to service_role;

-- Saves one arc; who may, and what it returns, stands at the head of this file.
create or replace function public.save_arc(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.emotional_arcs;
    refusal jsonb;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.emotional_arcs, public.require_shape(payload, 'public.emotional_arcs'));
    refusal := public.refuse_unknown_keys(given.suitable_personas, null, given.suitable_topics);
    if refusal is not null then
        return refusal;
    end if;
    if given.updated_at is null then
        insert into public.emotional_arcs (
            id, arc_key, name, description, conversation_category, tier, starting_emotion, starting_intensity_min,
            starting_intensity_max, ending_emotion, ending_intensity_min, ending_intensity_max, arc_strategy, key_principles,
            characteristic_phrases, response_techniques, avoid_tactics, typical_turn_count_min, typical_turn_count_max,
            complexity_baseline, suitable_personas, suitable_topics, is_active
        ) values (
            given.id, given.arc_key, given.name, given.description, given.conversation_category, given.tier,
            given.starting_emotion, given.starting_intensity_min, given.starting_intensity_max, given.ending_emotion,
            given.ending_intensity_min, given.ending_intensity_max, given.arc_strategy, given.key_principles,
            given.characteristic_phrases, given.response_techniques, given.avoid_tactics, given.typical_turn_count_min,
            given.typical_turn_count_max, given.complexity_baseline, given.suitable_personas, given.suitable_topics,
            given.is_active
        );
    else
        update public.emotional_arcs a
        set name = given.name, description = given.description, conversation_category = given.conversation_category,
            tier = given.tier, starting_emotion = given.starting_emotion,
            starting_intensity_min = given.starting_intensity_min, starting_intensity_max = given.starting_intensity_max,
            ending_emotion = given.ending_emotion, ending_intensity_min = given.ending_intensity_min,
            ending_intensity_max = given.ending_intensity_max, arc_strategy = given.arc_strategy,
            key_principles = given.key_principles, characteristic_phrases = given.characteristic_phrases,
            response_techniques = given.response_techniques, avoid_tactics = given.avoid_tactics,
            typical_turn_count_min = given.typical_turn_count_min, typical_turn_count_max = given.typical_turn_count_max,
            complexity_baseline = given.complexity_baseline, suitable_personas = given.suitable_personas,
            suitable_topics = given.suitable_topics, is_active = given.is_active, updated_at = clock_timestamp()
        where a.id = given.id and a.updated_at = given.updated_at;
        if not found then
            return public.refuse_stale_save(exists (select 1 from public.emotional_arcs a where a.id = given.id));
        end if;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Saves one topic; who may, and what it returns, stands at the head of this file.
create or replace function public.save_topic(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.training_topics;
    refusal jsonb;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.training_topics, public.require_shape(payload, 'public.training_topics'));
    refusal := public.refuse_unknown_keys(given.suitable_personas, given.suitable_emotional_arcs, null);
    if refusal is not null then
        return refusal;
    end if;
    if given.updated_at is null then
        insert into public.training_topics (
            id, topic_key, name, category, description, complexity_level, typical_question_examples, key_concepts,
            suitable_personas, suitable_emotional_arcs, requires_specialist, is_active
        ) values (
            given.id, given.topic_key, given.name, given.category, given.description, given.complexity_level,
            given.typical_question_examples, given.key_concepts, given.suitable_personas, given.suitable_emotional_arcs,
            given.requires_specialist, given.is_active
        );
    else
        update public.training_topics t
        set name = given.name, category = given.category, description = given.description,
            complexity_level = given.complexity_level, typical_question_examples = given.typical_question_examples,
            key_concepts = given.key_concepts, suitable_personas = given.suitable_personas,
            suitable_emotional_arcs = given.suitable_emotional_arcs, requires_specialist = given.requires_specialist,
            is_active = given.is_active, updated_at = clock_timestamp()
        where t.id = given.id and t.updated_at = given.updated_at;
        if not found then
            return public.refuse_stale_save(exists (select 1 from public.training_topics t where t.id = given.id));
        end if;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Says whether filters ask for imported items, which are no part of a rate otherwise: by `with_imports`, by a batch, or by
-- a name that only imported records have.
create or replace function public.asks_for_imports(filters jsonb) returns boolean
language sql stable set search_path = ''
as $$
    select public.require_filters(filters)
        and (coalesce(filters ->> 'with_imports' = 'true', false) or filters ->> 'batch_id' is not null or exists (
            select 1 from public.imported_names n
            where n.id::text in (filters ->> 'persona_id', filters ->> 'emotional_arc_id', filters ->> 'training_topic_id',
                filters ->> 'template_id')
        ))
$$;

revoke execute on function public.asks_for_imports(jsonb) from public, anon, authenticated;
grant execute on function public.asks_for_imports(jsonb) to authenticated;
grant execute on function public.asks_for_imports(jsonb) to service_role;

-- Counts judged items by combination, batch and kind of failure. The newest batches (at most 100) stand for
-- themselves, the others are summed up. Items of imported batches may have closed long before the batch came to be,
-- so those batches are looked up for items of any age. In the histogram of tokens what failed otherwise than the
-- filters ask for is neither accepted nor failed: it is left out.
create or replace function public.count_outcomes(filters jsonb, most_batches integer) returns json
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

-- The caller's failed generations that match. `filters` holds any of failure_type, stop_reason ('none': no reply),
-- truncation_pattern ('none': no pattern), fingerprint, turn_index, limit_share_bin (share of max_tokens used, in bins
-- of 5 %; 20: all of it), batch_id, persona_id, emotional_arc_id, training_topic_id, template_id, topic_category,
-- conversation_category (of an imported failure that of its arc), model (of an imported failure its own),
-- structured_outputs, max_tokens, effort ('none': model default), prompt_from (included), prompt_to (not), date_from
-- (included), date_to (not) and text (words, or their beginnings). Imported failures are left out unless
-- asks_for_imports. Without a SET clause and with the caller's rights,
-- so that the planner inlines it.
create or replace function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable
as $$
    select f.* from public.failed_generations f
    where public.require_filters(filters)
        and (not f.imported or (select public.asks_for_imports(filters)))
        and public.fits_kind(filters, f.failure_type, f.stop_reason, f.truncation_pattern, f.fingerprint)
        and (filters ->> 'turn_index' is null or f.turn_index = (filters ->> 'turn_index')::integer)
        and (filters ->> 'limit_share_bin' is null
            or case when f.output_tokens < f.max_tokens then floor((f.output_tokens::real / f.max_tokens)::real::numeric * 20)
                when f.output_tokens >= f.max_tokens then 20 end = (filters ->> 'limit_share_bin')::integer)
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

-- The caller's conversations that match. `filters` holds any of batch_id, persona_id, emotional_arc_id,
-- training_topic_id, category, tier, model, review_status, minimum_quality and text (words, or their beginnings). What
-- comparisons made is left out, unless a batch is named or `with_comparisons` is true.
-- Without a SET clause and with the caller's rights, so that the planner inlines it.
create or replace function public.matching_conversations(filters jsonb) returns setof public.conversations
language sql stable
as $$
    select c.* from public.conversations c
    where public.require_filters(filters)
        and (filters ->> 'batch_id' is null or c.batch_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'dataset_id' is null
            or c.batch_id in (select b.id from public.batches b where b.dataset_id = (filters ->> 'dataset_id')::uuid))
        and (filters ->> 'persona_id' is null or c.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or c.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or c.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'category' is null or c.conversation_category = filters ->> 'category')
        and (filters ->> 'tier' is null or c.tier = filters ->> 'tier')
        and (filters ->> 'model' is null or c.model = filters ->> 'model')
        and (filters ->> 'review_status' is null or c.review_status = filters ->> 'review_status')
        and (filters ->> 'batch_id' is not null or filters ->> 'with_comparisons' = 'true'
            or not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id))
        and (filters ->> 'minimum_quality' is null or c.quality_score >= (filters ->> 'minimum_quality')::numeric)
        and (filters ->> 'text' is null
            or c.id in (select m.id from public.find_conversations_by_words(filters ->> 'text') as m(id)))
$$;

-- Gives a batch a name that no other batch of its analyst has: the second "X" is "X (2)".
create or replace function public.name_batch() returns trigger
language plpgsql set search_path = ''
as $$
declare
    wanted constant text := new.name;
    number integer := 1;
begin
    while exists (select 1 from public.batches b where b.created_by = new.created_by and b.name = new.name) loop
        number := number + 1;
        new.name := left(wanted, 200 - length(format(' (%s)', number))) || format(' (%s)', number);
    end loop;
    return new;
end
$$;

revoke execute on function public.name_batch() from public, anon, authenticated;
grant execute on function public.name_batch() to service_role;

create trigger name_batch before insert on public.batches for each row execute function public.name_batch();

-- How many combinations of a selection have a conversation already: {"existing"}, by the same rule as `skip_existing`
-- of submit_batch.
create or replace function public.count_existing_combinations(request jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    owner constant uuid := auth.uid();
    persona_ids constant uuid[] := public.read_ids(request -> 'persona_ids', 'personas');
    arc_ids constant uuid[] := public.read_ids(request -> 'arc_ids', 'arcs');
    topic_ids constant uuid[] := public.read_ids(request -> 'topic_ids', 'topics');
    skip constant text := request ->> 'skip_existing';
begin
    return (
        select jsonb_build_object('existing', count(*)) from (
            select distinct c.persona_id, c.emotional_arc_id, c.training_topic_id from public.conversations c
            where c.created_by = owner and c.persona_id = any (persona_ids) and c.emotional_arc_id = any (arc_ids)
                and c.training_topic_id = any (topic_ids)
                and c.review_status <> 'rejected' and (skip = 'any' or not c.simulated)
                and not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id)
        ) d
    );
end
$$;

-- The failed items of a batch whose combination no retry of it, or of its retries, has accepted since or still works on.
create or replace function public.list_items_to_retry(target_batch_id uuid) returns setof public.batch_items
language sql stable set search_path = ''
as $$
    with recursive retries as (
        select b.id from public.batches b where b.retry_of = target_batch_id
        union
        select b.id from public.batches b join retries r on b.retry_of = r.id
    )
    select i.* from public.batch_items i
    where i.batch_id = target_batch_id and i.status = 'failed' and not exists (
        select 1 from retries r join public.batch_items again on again.batch_id = r.id
        where again.status in ('completed', 'queued', 'processing') and again.persona_id = i.persona_id
            and again.emotional_arc_id = i.emotional_arc_id and again.training_topic_id = i.training_topic_id
            and again.variation = i.variation
    )
$$;

revoke execute on function public.list_items_to_retry(uuid) from public, anon, authenticated;
grant execute on function public.list_items_to_retry(uuid) to authenticated;
grant execute on function public.list_items_to_retry(uuid) to service_role;

-- Makes a batch of the caller with an item for each combination of the selection. `picks` chooses positions of the
-- grid (persona x arc x topic) and their order, and with `dataset_id` only what its plan still misses is taken of them;
-- `skip_existing` leaves out combinations that have a conversation ('real': one that Claude wrote; 'any': or the
-- simulation; those of comparisons do not count), and the limit counts them; `without_templates` are offered templates that the
-- caller knows to be of no use. Returns {"outcome": "submitted" | "rejected", "batch_id", "planned", "reason"}.
create or replace function public.submit_batch(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    r public.batch_request;
    owner uuid := auth.uid();
    skip text;
    persona_ids uuid[];
    arc_ids uuid[];
    topic_ids uuid[];
    picks integer[];
    arcs integer;
    topics integer;
    most integer;
    grid_picks integer;
    covered integer;
    templates jsonb;
    missing text;
    new_batch_id uuid;
    planned integer;
    at_table text;
    at_column text;
    violated text;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: a batch belongs to a user.');
    end if;
    r := jsonb_populate_record(null::public.batch_request, public.require_shape(request, 'public.batch_request'));
    skip := r.skip_existing;
    persona_ids := public.read_ids(request -> 'persona_ids', 'personas');
    arc_ids := public.read_ids(request -> 'arc_ids', 'arcs');
    topic_ids := public.read_ids(request -> 'topic_ids', 'topics');
    arcs := cardinality(arc_ids);
    topics := cardinality(topic_ids);
    picks := public.read_picks(request -> 'picks', cardinality(persona_ids)::bigint * arcs * topics);
    most := r."limit";
    if most < 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Limit: at least 1.');
    end if;
    if skip is not null and skip not in ('real', 'any') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'skip_existing is "real", "any" or null.');
    end if;

    select string_agg(w.what, ', ') into missing from (
        select 'persona ' || i as what from unnest(persona_ids) i
        where not exists (select 1 from public.personas p where p.id = i and p.is_active)
        union all
        select 'arc ' || i from unnest(arc_ids) i
        where not exists (
            select 1 from public.emotional_arcs a
            where a.id = i and a.is_active and a.conversation_category = r.conversation_category
        )
        union all
        select 'topic ' || i from unnest(topic_ids) i
        where not exists (select 1 from public.training_topics t where t.id = i and t.is_active)
        limit 10
    ) w;
    if missing is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Not there, not active or of the other category: ' || missing || '. Reload and select again.');
    end if;

    if r.dataset_id is not null then
        -- Two who top up at once take turns here, and what is missing is bought once.
        perform 1 from public.datasets d where d.id = r.dataset_id and d.created_by = owner for update;
        if not found then
            return jsonb_build_object('outcome', 'rejected', 'reason', 'This data set is not there any more.');
        end if;
        picks := array(
            select c.position
            from (
                select p.position, p.n, row_number() over (partition by p.position order by p.n) as copy
                from unnest(picks) with ordinality p(position, n)
            ) c
            join public.count_dataset_cells(r.dataset_id, skip = 'any') cell
                on cell.persona_id = persona_ids[1 + c.position / (arcs * topics)]
                    and cell.emotional_arc_id = arc_ids[1 + c.position / topics % arcs]
                    and cell.training_topic_id = topic_ids[1 + c.position % topics]
                    and cell.to_generate >= c.copy
            order by c.n limit most
        );
        if cardinality(picks) = 0 then
            return jsonb_build_object('outcome', 'rejected', 'reason', 'Nothing of this data set is missing.');
        end if;
    elsif skip is not null then
        grid_picks := cardinality(picks);
        picks := array(
            select c.position
            from unnest(picks) with ordinality c(position, n)
            where not exists (
                select 1 from public.conversations done
                where done.created_by = owner
                    and done.persona_id = persona_ids[1 + c.position / (arcs * topics)]
                    and done.emotional_arc_id = arc_ids[1 + c.position / topics % arcs]
                    and done.training_topic_id = topic_ids[1 + c.position % topics]
                    and done.review_status <> 'rejected' and (skip = 'any' or not done.simulated)
                    and not exists (select 1 from public.experiments e where e.changed_batch_id = done.batch_id)
            )
            order by c.n
        );
        if cardinality(picks) = 0 then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'Every combination of this selection has a conversation already; nothing is left to generate.');
        end if;
        -- What is covered counts toward the limit: a batch of 10 of which 9 are there is one more.
        covered := grid_picks - cardinality(picks);
        if covered >= most then
            return jsonb_build_object('outcome', 'rejected', 'reason', format(
                '%s of these combinations have a conversation already, so a limit of %s leaves nothing to generate. '
                'Set a higher limit, or none.', covered, most));
        end if;
        picks := picks[:coalesce(most - covered, cardinality(picks))];
    end if;

    -- Of each arc the first that is offered and that the caller does not know to be of no use.
    select jsonb_object_agg(t.emotional_arc_id, to_jsonb(t)) into templates
    from (
        select distinct on (pt.emotional_arc_id) pt.* from public.list_offered_templates() pt
        where pt.emotional_arc_id = any (arc_ids) and not pt.id = any (coalesce(r.without_templates, '{}'))
        order by pt.emotional_arc_id, pt.version desc, pt.created_at desc
    ) t;
    select string_agg(a.name, ', ' order by a.name) into missing from public.emotional_arcs a
    where a.id = any (arc_ids) and not coalesce(templates, '{}') ? a.id::text;
    if missing is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'No active prompt template for: ' || missing || '. Add one, or leave these arcs out.');
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, canary_items, selection, snapshot, estimated_seconds, estimated_cost_usd, created_by,
        dataset_id
    )
    select r.name, r.conversation_category, r.model, r.max_tokens, r.effort, r.structured_outputs, r.concurrency,
        r.error_handling, coalesce(r.raise_max_tokens, false), r.budget_usd, coalesce(r.canary_items, 0),
        jsonb_build_object('conversation_category', r.conversation_category, 'persona_ids', persona_ids, 'arc_ids', arc_ids,
            'topic_ids', topic_ids, 'limit', most, 'skip_existing', skip),
        jsonb_build_object(
            'personas', (select jsonb_object_agg(p.id, to_jsonb(p)) from public.personas p where p.id = any (persona_ids)),
            'arcs', (select jsonb_object_agg(a.id, to_jsonb(a)) from public.emotional_arcs a where a.id = any (arc_ids)),
            'topics', (select jsonb_object_agg(t.id, to_jsonb(t)) from public.training_topics t where t.id = any (topic_ids)),
            'templates', (select jsonb_object_agg(t.value ->> 'id', t.value) from jsonb_each(templates) t)
        ),
        r.estimated_seconds, r.estimated_cost_usd, owner, r.dataset_id
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by, variation
    )
    select new_batch_id, c.n - 1, c.persona_id, arc.id, c.topic_id, (templates -> arc.id::text ->> 'id')::uuid,
        case when arc.conversation_category = 'edge' then 'edge_case' else arc.tier end, owner,
        coalesce(cell.made, 0) + row_number() over (partition by c.persona_id, arc.id, c.topic_id order by c.n)
    from (
        select p.n, persona_ids[1 + p.position / (arcs * topics)] as persona_id, arc_ids[1 + p.position / topics % arcs] as arc_id,
            topic_ids[1 + p.position % topics] as topic_id
        from unnest(picks) with ordinality p(position, n)
    ) c
    join public.emotional_arcs arc on arc.id = c.arc_id
    left join public.count_dataset_cells(r.dataset_id, true) cell
        on cell.persona_id = c.persona_id and cell.emotional_arc_id = arc.id and cell.training_topic_id = c.topic_id;
    get diagnostics planned = row_count;

    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Makes a new batch of a batch's failed items that no retry has fixed, perhaps with other settings. A new template replaces
-- that of its arc; others stay. Returns what submit_batch does, or {"outcome": "not_found"}.
create or replace function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
    to_retry uuid[];
    planned integer;
    at_table text;
    at_column text;
    violated text;
begin
    select b.* into old_batch from public.batches b where b.id = target_batch_id and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if old_batch.imported then
        return public.refuse_imported_batch();
    end if;
    perform public.require_shape(changes, 'public.batch_changes');
    if not exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'No item of this batch has failed; there is nothing to retry.');
    end if;
    to_retry := array(select i.id from public.list_items_to_retry(target_batch_id) i);
    if cardinality(to_retry) = 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Every failed item of this batch has been accepted in a retry, or waits in one; there is nothing to retry.');
    end if;
    if changes ->> 'template_id' is not null then
        select t.* into template from public.prompt_templates t
        where t.id = (changes ->> 'template_id')::uuid and t.is_active;
        if not found or not old_batch.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, retry_of, selection, snapshot, created_by, estimated_cost_usd, estimated_seconds,
        dataset_id
    )
    select coalesce(changes ->> 'name', left('Retry of ' || old_batch.name, 200)), old_batch.conversation_category,
        coalesce(changes ->> 'model', old_batch.model),
        coalesce((changes ->> 'max_tokens')::integer, old_batch.max_tokens),
        case when changes ? 'effort' then changes ->> 'effort' else old_batch.effort end,
        coalesce((changes ->> 'structured_outputs')::boolean, old_batch.structured_outputs),
        old_batch.concurrency, old_batch.error_handling, old_batch.raise_max_tokens, old_batch.budget_usd,
        target_batch_id, old_batch.selection,
        case when template.id is null then old_batch.snapshot
            else jsonb_set(old_batch.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        old_batch.created_by, old_batch.estimated_cost_usd * share.retried::numeric, old_batch.estimated_seconds * share.retried,
        old_batch.dataset_id
    from (
        select cardinality(to_retry)::double precision / count(*) as retried
        from public.batch_items i where i.batch_id = target_batch_id
    ) share
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by, variation
    )
    select new_batch_id, row_number() over (order by i.position) - 1, i.persona_id, i.emotional_arc_id,
        i.training_topic_id,
        case when i.emotional_arc_id = template.emotional_arc_id then template.id else i.template_id end, i.tier, i.created_by,
        i.variation
    from public.batch_items i where i.id = any (to_retry);
    get diagnostics planned = row_count;
    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- The active templates that a retry of a batch's failed items may use: those offered to its analyst, and those that
-- it used.
create or replace function public.list_retry_templates(target_batch_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    with failed as materialized (
        select distinct i.emotional_arc_id, i.template_id from public.list_items_to_retry(target_batch_id) i
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'name', t.name, 'version', t.version, 'arc', a.name,
        'is_used', exists (select 1 from failed f where f.template_id = t.id)
    ) order by a.name, t.version desc, t.id), '[]')
    from public.prompt_templates t join public.emotional_arcs a on a.id = t.emotional_arc_id
    where t.is_active and t.emotional_arc_id in (select f.emotional_arc_id from failed f)
        and (exists (select 1 from failed f where f.template_id = t.id)
            or t.id in (select o.id from public.list_offered_templates() o))
$$;

-- Starts a comparison: makes a batch of the base batch's judged (or failed) items that match, with one setting
-- changed. Returns {"outcome": "created" | "rejected" | "not_found", "experiment", "reason"}.
create or replace function public.create_experiment(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    base public.batches;
    template public.prompt_templates;
    given record;
    change jsonb;
    most integer;
    new_batch_id uuid := gen_random_uuid();
    new_name text;
    experiment public.experiments;
    chosen uuid[];
    at_table text;
    at_column text;
    violated text;
begin
    perform public.require_shape(request, 'public.experiment_request');
    select b.* into base from public.batches b where b.id = (request ->> 'batch_id')::uuid and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if base.imported then
        return public.refuse_imported_batch();
    end if;
    if (select count(*) from jsonb_object_keys(public.require_shape(request -> 'change', 'public.batch_changes'))) <> 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Change exactly one setting: with two, nobody could tell which of them made the difference.');
    end if;
    -- Kept is the change of a setting, and nothing else.
    select r.* into given from jsonb_to_record(request -> 'change') as r(
        model text, max_tokens integer, effort text, structured_outputs boolean, template_id uuid
    );
    change := jsonb_strip_nulls(to_jsonb(given));
    if change = '{}' then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'What can be changed is model, max_tokens, effort, structured_outputs or template_id.');
    end if;
    if given.model = base.model or given.max_tokens = base.max_tokens
        or given.effort = base.effort or given.structured_outputs = base.structured_outputs then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'The batch has this setting already; there is nothing to compare. Choose another value.');
    end if;
    if given.template_id is not null then
        select t.* into template from public.prompt_templates t where t.id = given.template_id and t.is_active;
        if not found or not base.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;
    most := least(coalesce((request ->> 'limit')::integer, 10000), 10000);
    if most < 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Limit: at least 1.');
    end if;
    chosen := array(
        select i.id from public.batch_items i
        join public.item_outcomes o on o.batch_item_id = i.id
        join public.matching_combinations(coalesce(request -> 'items', '{}')) c on c.id = o.combination_id
        where i.batch_id = base.id
            and (i.status = 'failed' or (i.status = 'completed' and request ->> 'scope' = 'judged'))
            and (template.id is null or (i.emotional_arc_id = template.emotional_arc_id and i.template_id <> template.id))
        order by i.position limit most
    );
    if cardinality(chosen) = 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'No judged item of this batch fits; there is nothing to repeat. Choose other items, or wait for the batch.');
    end if;

    new_name := coalesce(request ->> 'name', left('Compare ' || base.name, 200));
    -- The circuit breaker is off (nothing exceeds all items): an arm that fails often is a result, not an accident.
    insert into public.batches (
        id, name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, breaker_share, selection, snapshot, created_by
    )
    select new_batch_id, new_name, base.conversation_category, coalesce(given.model, base.model),
        coalesce(given.max_tokens, base.max_tokens), coalesce(given.effort, base.effort),
        coalesce(given.structured_outputs, base.structured_outputs), base.concurrency, 'continue',
        base.raise_max_tokens, base.budget_usd, 1, base.selection,
        case when template.id is null then base.snapshot
            else jsonb_set(base.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        base.created_by
    returning name into new_name;
    insert into public.experiments (name, scope, change, base_batch_id, changed_batch_id, pairs, created_by)
    values (new_name, request ->> 'scope', change, base.id, new_batch_id, cardinality(chosen), base.created_by)
    returning * into experiment;
    with repeated as (
        select gen_random_uuid() as id, i.id as base_item_id, row_number() over (order by i.position) - 1 as position,
            i.persona_id, i.emotional_arc_id, i.training_topic_id, coalesce(template.id, i.template_id) as template_id, i.tier
        from public.batch_items i where i.id = any (chosen)
    ), added as (
        insert into public.batch_items (
            id, batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
        )
        select r.id, new_batch_id, r.position, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.tier,
            base.created_by
        from repeated r
    )
    insert into public.experiment_pairs (changed_item_id, base_item_id, experiment_id, created_by)
    select r.id, r.base_item_id, experiment.id, base.created_by from repeated r;
    return jsonb_build_object('outcome', 'created', 'experiment', to_jsonb(experiment));
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- What a conversation has cost and taken so far, for estimates: one row for each model, with the spread that a range
-- needs, and how many characters a token has. A conversation is an item with a reply, accepted or failed, with the cost
-- of all its calls; items of which no call brought a reply say nothing of the next. It rests on the caller's latest 5,000 attempts, so it follows what has
-- changed (model, templates) and reads the same number of rows however many there are.
create or replace view public.generation_history with (security_invoker = true) as
with latest as (
    select a.model, a.simulated, a.batch_item_id, a.cost_usd, a.duration_ms, a.prompt_length,
        a.stop_reason is not null or a.output_tokens is not null as is_reply,
        coalesce(a.input_tokens, 0) + coalesce(a.cache_creation_input_tokens, 0) + coalesce(a.cache_read_input_tokens, 0)
            as prompt_tokens
    from public.generation_attempts a
    where a.created_by = (select auth.uid())
    order by a.created_at desc
    limit 5000
), items as (
    select l.model, l.simulated, coalesce(sum(l.cost_usd), 0)::double precision as cost_usd,
        sum(l.duration_ms)::double precision / 1000 as seconds,
        sum(l.prompt_length) filter (where l.prompt_tokens > 0) as characters, sum(l.prompt_tokens) as tokens
    from latest l
    group by l.model, l.simulated, l.batch_item_id
    having bool_or(l.is_reply)
)
select i.model, i.simulated, count(*)::integer as items, sum(i.cost_usd) as cost_usd, sum(i.seconds) as duration_seconds,
    stddev_samp(i.cost_usd) as cost_deviation_usd, stddev_samp(i.seconds) as duration_deviation_seconds,
    sum(i.characters)::double precision / nullif(sum(i.tokens), 0)::double precision as characters_per_token
from items i
group by i.model, i.simulated;

-- How a batch went over time: what was judged, in the order in which it was, in at most `max_points` groups of as many
-- items each: 10, or more where there are many. The last group holds the rest, too. Each stands where the middle one of
-- its items closed. Groups by time would be of one item each where a batch is fast, and jump between 0 and 100 %.
create or replace function public.read_batch_trend(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    with judged as (
        select i.finished_at, i.status, row_number() over (order by i.finished_at, i.position) - 1 as number,
            count(*) over () as total
        from public.batch_items i join public.batches b on b.id = i.batch_id
        where i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at is not null
            and b.started_at is not null
    ), grouped as (
        select j.finished_at, j.status, least(j.number / g.size, greatest(j.total / g.size, 1) - 1) as part
        from judged j cross join lateral (
            select coalesce(min(s), 100000) as size
            from unnest(array[10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]) s
            where s * greatest(max_points, 1)::bigint >= j.total
        ) g
    )
    select coalesce(jsonb_agg(to_jsonb(p) order by p.at), '[]') from (
        select percentile_disc(0.5) within group (order by g.finished_at) as at, min(g.finished_at) as begins_at,
            max(g.finished_at) as ends_at, count(*) filter (where g.status = 'completed') as accepted,
            count(*) filter (where g.status = 'failed') as failed
        from grouped g group by g.part
    ) p
$$;

-- All that the monitor shows of one batch but its items; null where there is none.
create or replace function public.watch_batch(target_batch_id uuid, max_points integer) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'progress', to_jsonb(p),
        'retry_of_name', (select o.name from public.batches o where o.id = p.retry_of),
        'retries', coalesce((
            select jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'status', r.status) order by r.created_at)
            from public.batches r where r.retry_of = p.id
        ), '[]'),
        'dataset', (select jsonb_build_object('id', d.id, 'name', d.name)
            from public.batches b join public.datasets d on d.id = b.dataset_id where b.id = p.id),
        'to_retry', case when exists (select 1 from public.batches r where r.retry_of = p.id)
            then (select count(*) from public.list_items_to_retry(p.id)) else p.failed end,
        'by_failure_type', coalesce((
            select jsonb_object_agg(t.failure_type, t.failures) from (
                select f.failure_type, count(*) as failures from public.failed_generations f
                where f.run_id = target_batch_id group by 1
            ) t
        ), '{}'),
        'by_pattern', coalesce((
            select jsonb_object_agg(t.truncation_pattern, t.failures) from (
                select f.truncation_pattern, count(*) as failures from public.failed_generations f
                where f.run_id = target_batch_id and f.truncation_pattern is not null group by 1
            ) t
        ), '{}'),
        'by_stop_reason', coalesce((
            select jsonb_object_agg(t.stop_reason, t.attempts) from (
                select coalesce(a.stop_reason, 'none') as stop_reason, count(*) as attempts
                from public.generation_attempts a where a.batch_id = target_batch_id group by 1
            ) t
        ), '{}'),
        'trend', public.read_batch_trend(target_batch_id, max_points)
    )
    from public.batch_progress p where p.id = target_batch_id
$$;

-- The home page: totals of all of the caller's generated batches, coverage of the scaffolding, what runs now.
create or replace function public.read_overview() returns jsonb
language sql stable set search_path = ''
as $$
    with recursive judged as materialized (
        select count(*) filter (where i.status = 'completed') as accepted,
            count(*) filter (where i.status = 'failed') as failed,
            count(*) filter (where i.status = 'completed' and i.finished_at >= now() - interval '7 days') as recent_accepted,
            count(*) filter (where i.status = 'failed' and i.finished_at >= now() - interval '7 days') as recent_failed
        from public.batch_items i
        where i.created_by = (select auth.uid()) and i.status in ('completed', 'failed') and not i.imported
    ), spend as materialized (
        select coalesce(sum(a.cost_usd) filter (where not a.simulated), 0) as charged,
            coalesce(sum(a.cost_usd) filter (where a.simulated), 0) as simulated
        from public.generation_attempts a where a.created_by = (select auth.uid())
    ), kept as materialized (
        select c.persona_id, c.emotional_arc_id, c.training_topic_id, count(*) as conversations,
            count(*) filter (where c.simulated) as simulated
        from public.conversations c
        where c.created_by = (select auth.uid())
            and not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id)
        group by 1, 2, 3
    ), patterns as (
        -- One step for each pattern, by the index, however many failures there are.
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern is not null and not f.imported) as pattern
        union all
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern > p.pattern and not f.imported)
        from patterns p where p.pattern is not null
    ), first_seen as (
        select p.pattern, (select min(f.created_at) from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern = p.pattern and not f.imported)
            as first_seen_at
        from patterns p where p.pattern is not null
    )
    select jsonb_build_object(
        'accepted', j.accepted, 'failed', j.failed,
        'recent_accepted', j.recent_accepted, 'recent_failed', j.recent_failed,
        'conversations', coalesce((select sum(k.conversations) from kept k), 0),
        'simulated_conversations', coalesce((select sum(k.simulated) from kept k), 0),
        'spend_usd', s.charged, 'simulated_spend_usd', s.simulated,
        'batches', (select count(*) from public.batches b where not b.imported),
        'active_batches', (select count(*) from public.batches b where b.status in ('queued', 'processing')),
        'paused_batches', (select count(*) from public.batches b where b.status = 'paused'),
        'open_items', (
            select count(*) from public.batches b join public.batch_items i on i.batch_id = b.id
            where b.status in ('queued', 'processing') and i.status in ('queued', 'processing')
        ),
        'first_batch_at', (select min(b.created_at) from public.batches b where not b.imported),
        'patterns', coalesce((
            select jsonb_agg(jsonb_build_object('pattern', p.pattern, 'first_seen_at', p.first_seen_at) order by p.first_seen_at)
            from first_seen p
        ), '[]'),
        'coverage', jsonb_build_object(
            'topics', (select count(*) from public.training_topics t where t.is_active),
            'personas', coalesce((
                select jsonb_agg(jsonb_build_object('id', p.id, 'key', p.persona_key, 'name', p.name) order by p.name)
                from public.personas p where p.is_active
            ), '[]'),
            'arcs', coalesce((
                select jsonb_agg(jsonb_build_object('id', e.id, 'key', e.arc_key, 'name', e.name,
                    'conversation_category', e.conversation_category)
                    order by e.conversation_category, e.name)
                from public.emotional_arcs e where e.is_active
            ), '[]'),
            'cells', coalesce((
                select jsonb_agg(to_jsonb(cell)) from (
                    select k.persona_id, k.emotional_arc_id, count(*) filter (where t.is_active) as topics,
                        sum(k.conversations) as conversations
                    from kept k join public.training_topics t on t.id = k.training_topic_id group by 1, 2
                ) cell
            ), '[]')
        )
    )
    from judged j cross join spend s
$$;
