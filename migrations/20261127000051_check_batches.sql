-- What an analyst submits is looked at before anything is built of it, and refused with a word. Figures are figures (not NaN, not
-- infinite), names are lines, lists are bounded, and what a batch asks for is what its worker can read. Writing the largest batch
-- may take longer than an analyst's question: those functions have a time limit of their own, which PostgREST applies to the call.

-- What files call something, as a line: control characters become blanks, the rest is cut; nothing to see is 'not given'.
create function public.make_line(value text, most integer) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select case when public.is_line(line) then line else 'not given' end
    from (select btrim(left(regexp_replace(left(value, 1000), '[\u0001-\u001f\u007f-\u009f\u2028\u2029]+', ' ', 'g'), most))) l(line)
$$;

-- What earlier versions let in is mended, so that these checks hold for every row: a batch lives on, and a row that breaks a check
-- could never be paused or cancelled again. No model takes more than 128,000 tokens, and a budget that is not a number is none.
update public.batches b set name = public.make_line(b.name, 200) where not public.is_line(b.name);
update public.batches b set model = public.make_line(b.model, 100) where not public.is_line(b.model);
update public.batches b set max_tokens = 128000 where b.max_tokens > 128000 and not b.imported;
update public.batches b set budget_usd = null where b.budget_usd = 'NaN';
update public.batches b set canary_items = 100000 where b.canary_items > 100000;
update public.batches b set estimated_seconds = null where not b.estimated_seconds between 0 and 1e9;
update public.batches b set estimated_cost_usd = null where not b.estimated_cost_usd between 0 and 1e6;
update public.imports i set name = public.make_line(i.name, 200) where not public.is_line(i.name);
update public.experiments e set name = public.make_line(e.name, 200) where not public.is_line(e.name);

alter table public.batches
    add constraint batches_name_line check (public.is_line(name)),
    add constraint batches_model_line check (public.is_line(model)),
    add constraint batches_max_tokens_most check (imported or max_tokens <= 128000),
    add constraint batches_budget_usd_most check (budget_usd < 1e6),
    add constraint batches_canary_items_most check (canary_items <= 100000),
    add constraint batches_estimated_seconds_most check (estimated_seconds between 0 and 1e9),
    add constraint batches_estimated_cost_usd_most check (estimated_cost_usd between 0 and 1e6);
alter table public.imports add constraint imports_name_line check (public.is_line(name));
alter table public.experiments add constraint experiments_name_line check (public.is_line(name));

comment on constraint batches_model_line on public.batches is 'Model: 1 to 100 characters on one line, no control characters.';
comment on constraint batches_max_tokens_check on public.batches is 'Max output tokens: 1 to 128,000.';
comment on constraint batches_max_tokens_most on public.batches is 'Max output tokens: 1 to 128,000.';
comment on constraint batches_settings_check on public.batches is 'A batch needs max_tokens and structured_outputs.';
comment on constraint batches_budget_usd_check on public.batches is 'Budget: more than $0 and less than $1,000,000.';
comment on constraint batches_budget_usd_most on public.batches is 'Budget: more than $0 and less than $1,000,000.';
comment on constraint batches_canary_items_check on public.batches is 'Canary: 0 to 100,000 items.';
comment on constraint batches_canary_items_most on public.batches is 'Canary: 0 to 100,000 items.';
comment on constraint batches_concurrency_check on public.batches is 'Concurrency: 1 to 200.';
comment on constraint batches_effort_check on public.batches is 'Effort: low, medium, high, xhigh or max.';
comment on constraint batches_error_handling_check on public.batches is 'Error handling: continue or stop.';
comment on constraint batches_conversation_category_check on public.batches is 'Category: core or edge.';
comment on constraint batches_estimated_seconds_most on public.batches is 'Estimate: 0 to 1,000,000,000 seconds.';
comment on constraint batches_estimated_cost_usd_most on public.batches is 'Estimate: $0 to $1,000,000.';
comment on constraint experiments_scope_check on public.experiments is 'Scope: judged or failed.';

-- Returns the ids of a list in its order: 1 to 1,000 different ones. Raises a data exception, in words, before it reads more.
create function public.read_ids(given jsonb, what text) returns uuid[]
language plpgsql immutable set search_path = ''
as $$
declare
    ids uuid[];
begin
    if jsonb_typeof(given) is distinct from 'array' or jsonb_array_length(given) = 0 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Select at least one persona, one arc and one topic.';
    end if;
    if jsonb_array_length(given) > 1000 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('Select at most 1,000 %s, not %s.', what, jsonb_array_length(given));
    end if;
    ids := array(select e.id::uuid from jsonb_array_elements_text(given) with ordinality e(id, n) order by e.n);
    if (select count(distinct i) from unnest(ids) i) <> cardinality(ids) then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('One of the %s is named twice, or not at all.', what);
    end if;
    return ids;
end
$$;

-- Returns the wanted positions of a grid in their order, each once; without a list all of them. Raises a data exception, in words,
-- before it reads more than a batch holds.
create function public.read_picks(given jsonb, grid_size bigint) returns integer[]
language plpgsql immutable set search_path = ''
as $$
declare
    most constant integer := 100000;
    wanted constant bigint := case when jsonb_typeof(given) = 'array' then jsonb_array_length(given) else grid_size end;
    picks integer[];
begin
    if coalesce(jsonb_typeof(given), 'null') not in ('array', 'null') then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Picks are a list of positions.';
    end if;
    if wanted = 0 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Select at least one persona, one arc and one topic.';
    end if;
    if wanted > most then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('A batch holds at most %s conversations; this selection has %s. Select fewer or set a limit.', most, wanted);
    end if;
    if jsonb_typeof(given) is distinct from 'array' then
        return array(select generate_series(0, grid_size - 1)::integer);
    end if;
    picks := array(select e.position::integer from jsonb_array_elements_text(given) with ordinality e(position, n) order by e.n);
    if exists (select 1 from unnest(picks) p where p is null or p < 0 or p >= grid_size)
        or (select count(distinct p) from unnest(picks) p) <> cardinality(picks) then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('Picks are positions of the grid, from 0 to %s, each once.', grid_size - 1);
    end if;
    return picks;
end
$$;

-- A batch and all its items, in one statement each, or nothing.
--
-- The grid is persona x arc x topic in the order of the given ids; it is counted, never built. `picks`, if given, are the row-major
-- positions that are wanted, in that order (the caller samples). With `skip_existing` ("real": combinations with a conversation of
-- the caller that Claude wrote; "any": simulated ones count, too; what a reviewer rejected counts as none) they are the order in
-- which combinations are wanted, and the first `limit` of what is left are taken. Returns {"outcome": "submitted", "batch_id",
-- "planned"} or {"outcome": "rejected", "reason"}.
create or replace function public.submit_batch(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    owner uuid := auth.uid();
    skip constant text := request ->> 'skip_existing';
    persona_ids uuid[];
    arc_ids uuid[];
    topic_ids uuid[];
    picks integer[];
    arcs integer;
    topics integer;
    most integer;
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
    perform public.require_object(request);
    persona_ids := public.read_ids(request -> 'persona_ids', 'personas');
    arc_ids := public.read_ids(request -> 'arc_ids', 'arcs');
    topic_ids := public.read_ids(request -> 'topic_ids', 'topics');
    arcs := cardinality(arc_ids);
    topics := cardinality(topic_ids);
    picks := public.read_picks(request -> 'picks', cardinality(persona_ids)::bigint * arcs * topics);
    most := (request ->> 'limit')::integer;
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
            where a.id = i and a.is_active and a.conversation_category = request ->> 'conversation_category'
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

    if skip is not null then
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
            )
            order by c.n limit most
        );
        if cardinality(picks) = 0 then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'Every combination of this selection has a conversation already; nothing is left to generate.');
        end if;
    end if;

    -- The newest active template of each arc.
    select jsonb_object_agg(t.emotional_arc_id, to_jsonb(t)) into templates
    from (
        select distinct on (pt.emotional_arc_id) pt.* from public.prompt_templates pt
        where pt.is_active and pt.emotional_arc_id = any (arc_ids)
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
        raise_max_tokens, budget_usd, canary_items, selection, snapshot, estimated_seconds, estimated_cost_usd, created_by
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
        r.estimated_seconds, r.estimated_cost_usd, owner
    from jsonb_to_record(request) as r(
        name text, conversation_category text, model text, max_tokens integer, effort text, structured_outputs boolean,
        concurrency integer, error_handling text, raise_max_tokens boolean, budget_usd numeric, canary_items integer,
        estimated_seconds double precision, estimated_cost_usd numeric
    )
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, c.n - 1, persona_ids[1 + c.position / (arcs * topics)], arc.id, topic_ids[1 + c.position % topics],
        (templates -> arc.id::text ->> 'id')::uuid,
        case when arc.conversation_category = 'edge' then 'edge_case' else arc.tier end, owner
    from unnest(picks) with ordinality c(position, n)
    join public.emotional_arcs arc on arc.id = arc_ids[1 + c.position / topics % arcs];
    get diagnostics planned = row_count;

    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- How many combinations of a selection have a conversation already: {"existing"}. The same rule as in submit_batch.
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
        ) d
    );
end
$$;

-- A new batch of a batch's failed items, the same or with changed settings; the two stay linked.
--
-- `changes` may hold name, model, max_tokens, effort, structured_outputs (a key that is absent changes nothing) and template_id, an
-- active template that replaces the one of its arc. The scaffolding stays as it was in the first batch, the estimate is that of its
-- share. Returns {"outcome": "submitted", "batch_id", "planned"} or {"outcome": "rejected" | "not_found", "reason"}.
create or replace function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
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
    perform public.require_object(changes);
    if not exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'No item of this batch has failed; there is nothing to retry.');
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
        raise_max_tokens, budget_usd, retry_of, selection, snapshot, created_by, estimated_cost_usd, estimated_seconds
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
        old_batch.created_by, old_batch.estimated_cost_usd * share.retried::numeric, old_batch.estimated_seconds * share.retried
    from (
        select count(*) filter (where i.status = 'failed')::double precision / count(*) as retried
        from public.batch_items i where i.batch_id = target_batch_id
    ) share
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, row_number() over (order by i.position) - 1, i.persona_id, i.emotional_arc_id,
        i.training_topic_id,
        case when i.emotional_arc_id = template.emotional_arc_id then template.id else i.template_id end, i.tier, i.created_by
    from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed';
    get diagnostics planned = row_count;
    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- action: pause | resume | cancel; resuming may set a new budget. Returns {"outcome": "done" | "rejected" | "not_found", "status",
-- "reason"}.
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
        update public.batches b set status = 'paused', status_reason = 'Paused by the analyst.', updated_at = now()
        where b.id = target_batch_id;
    elsif action = 'resume' and batch.status = 'paused' then
        update public.batches b
        set status = case when b.started_at is null then 'queued' else 'processing' end, status_reason = null,
            watched_since = now(), budget_usd = coalesce(new_budget_usd, b.budget_usd), updated_at = now()
        where b.id = target_batch_id;
        perform public.settle_batch(target_batch_id);
    elsif action = 'cancel' and batch.status in ('queued', 'processing', 'paused') then
        perform public.stop_batch(target_batch_id, 'cancelled', 'Cancelled by the analyst.');
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

-- A batch of judged items once more, with one setting changed, each item beside the one that it repeats.
--
-- request: {"batch_id", "scope", "change" (one key), and optionally "name", "items", "limit"}. `items` says how the items were
-- made, as matching_combinations reads it; effort 'none' is the model's own, prompt_from is included and prompt_to not. A new
-- template takes the items of its arc only. Returns {"outcome": "created", "experiment"} or {"outcome": "rejected" | "not_found",
-- "reason"}.
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
    perform public.require_object(request);
    select b.* into base from public.batches b where b.id = (request ->> 'batch_id')::uuid and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if base.imported then
        return public.refuse_imported_batch();
    end if;
    if (select count(*) from jsonb_object_keys(public.require_object(request -> 'change'))) <> 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Change exactly one setting: with two, nobody could tell which of them made the difference.');
    end if;
    -- The change as it is kept has the types of the settings, whatever the request wrote: "5000" is 5000.
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
        base.created_by;
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

revoke execute on function public.make_line(text, integer), public.read_picks(jsonb, bigint) from public, anon, authenticated;
-- count_existing_combinations runs with the caller's rights.
revoke execute on function public.read_ids(jsonb, text) from public, anon;
grant execute on function public.read_ids(jsonb, text) to authenticated;
