-- Variations: axes of variation are scaffolding, a batch may make several conversations of each combination, and each
-- keeps what its prompt was told of the axes. A comparison repeats the variation of the item that it repeats.

alter type public.batch_request add attribute per_combination integer;
comment on column public.batches.snapshot is
    'Personas, arcs, topics and templates as they were at submission: {"personas": {id: row}, "arcs": ..., "topics": ..., "templates": ..., "axes": ...}';

-- Says whether an array is a plain list of 1 to 50 different lines (is_line).
create function public.is_line_list(given text[]) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when array_ndims(given) <> 1 or array_lower(given, 1) <> 1 or cardinality(given) not between 1 and 50 then false
        else (select bool_and(public.is_line(entry)) and count(distinct entry) = count(*) from unnest(given) entry) end, false)
$$;

-- One respect in which several conversations of a combination differ, and the values that it may have. Its values come
-- into the prompts of every batch, so an analyst sees and uses those that ship with Bright Run and their own, and
-- saving one that ships makes a copy of it, which stands in its place for that analyst.
create table public.variation_axes (
    id uuid primary key default gen_random_uuid(),
    axis_key text not null check (axis_key ~ '^[a-z0-9_]{1,100}$'),
    name text not null constraint variation_axes_name_line check (public.is_line(name)),
    values text[] not null constraint variation_axes_values_lines check (public.is_line_list(values)),
    is_active boolean not null default true,
    created_by uuid references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint variation_axes_key_taken unique nulls not distinct (created_by, axis_key)
);
comment on table public.variation_axes is 'In what the prompts of several conversations of one combination differ';
comment on column public.variation_axes.created_by is 'Whose it is; null: it ships with Bright Run';
comment on constraint variation_axes_values_lines on public.variation_axes is
    'Values: 1 to 50 different ones, each of 1 to 200 characters on one line, some of them visible, no control or hidden characters.';
comment on constraint variation_axes_key_taken on public.variation_axes is 'You have an axis with this key. Choose another one.';
alter table public.variation_axes enable row level security;
create policy "Analysts read what ships and their own axes" on public.variation_axes for select to authenticated
    using (created_by is null or created_by = (select auth.uid()));

-- Notes who saved a record, and refuses it beyond what an analyst may have: 1,000 records of a kind, 10 MB of all
-- kinds. A row counts for whoever saved it last, so nobody takes the room of others by changing their rows. What the
-- system saves counts for nobody.
create or replace function public.note_author() returns trigger
language plpgsql set search_path = ''
as $$
declare
    most_rows constant integer := 1000;
    most_bytes constant integer := 10000000;
    what constant text := case tg_table_name when 'prompt_templates' then 'versions of templates' when 'emotional_arcs' then 'arcs'
        when 'training_topics' then 'topics' when 'variation_axes' then 'axes' else 'personas' end;
    size constant integer := octet_length(to_jsonb(new)::text);
    taken record;
begin
    if auth.uid() is null then
        return null;
    end if;
    select count(*) filter (where s.kind = tg_table_name) as rows, coalesce(sum(s.bytes), 0) as bytes into taken
    from public.scaffolding_authors s where s.created_by = auth.uid() and s.record_id <> new.id;
    if taken.rows >= most_rows then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'You have saved %s %s, and 1,000 is the most. Change one that is yours.', taken.rows, what);
    end if;
    if taken.bytes + size > most_bytes then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What you have saved of all kinds would be larger than 10 MB together. Shorten some of it.';
    end if;
    insert into public.scaffolding_authors (record_id, kind, created_by, bytes) values (new.id, tg_table_name, auth.uid(), size)
    on conflict (record_id) do update set kind = excluded.kind, created_by = excluded.created_by, bytes = excluded.bytes;
    return null;
end
$$;
create trigger note_author after insert or update on public.variation_axes for each row execute function public.note_author();

-- The axes that a new batch of the caller varies its conversations by: the active ones that ship with Bright Run or
-- are the caller's own, whose copies stand in place of those they were made from; at most ten.
create function public.list_offered_axes() returns setof public.variation_axes
language sql stable security definer set search_path = ''
as $$
    select x.* from public.variation_axes x
    where x.is_active and auth.uid() is not null and (x.created_by = auth.uid() or (x.created_by is null and not exists (
        select 1 from public.variation_axes own where own.created_by = auth.uid() and own.axis_key = x.axis_key
    )))
    order by x.axis_key limit 10
$$;

-- Saves one axis as the caller's own; what it returns stands at the head of this file. One that ships stays as it is,
-- and the id is that of the caller's copy.
create function public.save_axis(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    most_active constant integer := 10;
    given public.variation_axes;
    target public.variation_axes;
    owner constant uuid := auth.uid();
    saved_id uuid;
    at_table text;
    at_column text;
    violated text;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.variation_axes, public.require_shape(payload, 'public.variation_axes'));
    if given.updated_at is not null then
        select x.* into target from public.variation_axes x
        where x.id = given.id and (x.created_by is null or x.created_by = owner) for update;
        if not found or target.updated_at <> given.updated_at then
            return public.refuse_stale_save(found);
        end if;
        given.axis_key := target.axis_key;
    end if;
    if given.is_active and (
        select count(*) from public.list_offered_axes() x where x.axis_key <> given.axis_key
    ) >= most_active then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('At most %s axes are active at once. Deactivate one first.', most_active));
    end if;
    if target.created_by is not null then
        update public.variation_axes x
        set name = given.name, values = given.values, is_active = given.is_active, updated_at = clock_timestamp()
        where x.id = target.id returning x.id into saved_id;
    else
        insert into public.variation_axes (id, axis_key, name, values, is_active, created_by)
        values (case when target.id is null then given.id else gen_random_uuid() end, given.axis_key, given.name, given.values,
            given.is_active, owner)
        returning id into saved_id;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', saved_id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Makes a batch of the caller with an item for each combination of the selection. `picks` chooses positions of the
-- grid (persona x arc x topic) and their order, and with `dataset_id` only what its plan still misses is taken of them;
-- `skip_existing` leaves out combinations that have a conversation ('real': one that Claude wrote; 'any': or the
-- simulation; those of comparisons do not count), and the limit counts them; `per_combination` items are made of each combination
-- that is left, the first of all before the second of any, but of a data set what it misses; `without_templates` are offered templates that the
-- caller knows to be of no use. Returns {"outcome": "submitted" | "rejected", "batch_id", "planned", "reason"}.
create or replace function public.submit_batch(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    most_items constant integer := 100000;
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
    per_combination integer;
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
    per_combination := coalesce(r.per_combination, 1);
    if per_combination not between 1 and 1000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Conversations of each combination: 1 to 1,000.');
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
    if r.dataset_id is null and per_combination > 1 then
        if cardinality(picks)::bigint * per_combination > most_items then
            return jsonb_build_object('outcome', 'rejected', 'reason', format(
                'A batch holds at most %s conversations; this selection has %s. Select fewer or set a limit.', most_items,
                cardinality(picks)::bigint * per_combination));
        end if;
        picks := array(
            select c.position
            from generate_series(1, per_combination) copy cross join unnest(picks) with ordinality c(position, n)
            order by copy, c.n
        );
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
            'topic_ids', topic_ids, 'limit', most, 'skip_existing', skip, 'per_combination', per_combination),
        jsonb_build_object(
            'personas', (select jsonb_object_agg(p.id, to_jsonb(p)) from public.personas p where p.id = any (persona_ids)),
            'arcs', (select jsonb_object_agg(a.id, to_jsonb(a)) from public.emotional_arcs a where a.id = any (arc_ids)),
            'topics', (select jsonb_object_agg(t.id, to_jsonb(t)) from public.training_topics t where t.id = any (topic_ids)),
            'templates', (select jsonb_object_agg(t.value ->> 'id', t.value) from jsonb_each(templates) t),
            'axes', (select coalesce(jsonb_object_agg(x.id, to_jsonb(x)), '{}') from public.list_offered_axes() x)
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
            i.persona_id, i.emotional_arc_id, i.training_topic_id, coalesce(template.id, i.template_id) as template_id, i.tier,
            i.variation
        from public.batch_items i where i.id = any (chosen)
    ), added as (
        insert into public.batch_items (
            id, batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by,
            variation
        )
        select r.id, new_batch_id, r.position, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.tier,
            base.created_by, r.variation
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

-- One conversation whole, with its edits, the scaffolding that its batch keeps and the settings of its call; null where there is
-- none, or it is someone else's.
create or replace function public.describe_conversation(conversation_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(c) - 'scaffolding_snapshot' || jsonb_build_object(
        'category', c.conversation_category,
        'batch_name', b.name,
        'persona', b.snapshot -> 'personas' -> c.persona_id::text,
        'arc', b.snapshot -> 'arcs' -> c.emotional_arc_id::text,
        'topic', b.snapshot -> 'topics' -> c.training_topic_id::text,
        'template', b.snapshot -> 'templates' -> c.template_id::text,
        'axes', coalesce(b.snapshot -> 'axes', '{}'),
        'variation', coalesce((c.scaffolding_snapshot ->> 'variation')::integer, 1),
        'variation_values', coalesce(c.scaffolding_snapshot -> 'variation_values', '{}'),
        'revision', md5(c.turns::text),
        'edits', (select coalesce(jsonb_agg(jsonb_build_object('turn_place', e.turn_place, 'content_before', e.content_before,
            'edited_at', e.edited_at) order by e.edited_at), '[]')
            from public.conversation_edits e where e.conversation_id = c.id),
        'duration_ms', a.duration_ms, 'request_id', a.request_id, 'attempt_number', a.attempt_number,
        'max_tokens', a.max_tokens, 'effort', a.effort, 'structured_outputs', a.structured_outputs
    )
    from public.conversations c
    join public.batches b on b.id = c.batch_id
    left join public.generation_attempts a on a.id = c.attempt_id
    where c.id = conversation_id
$$;

-- A page of whole conversations, oldest first, after the one that the cursor names.
create or replace function public.export_conversations(
    filters jsonb, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null
) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    ids uuid[] := array(select c.id from public.matching_conversations(filters) c
        where cursor_id is null or (c.created_at, c.id) > (cursor_created_at, cursor_id)
        order by c.created_at, c.id limit least(greatest(page_size, 1), 500));
begin
    return (select coalesce(jsonb_agg(to_jsonb(page)), '[]') from (
        select c.id, c.name, c.turns, c.batch_id, b.name as batch_name, c.conversation_category as category, c.tier, c.model,
            c.review_status, c.quality_score, c.simulated, c.created_at,
            c.scaffolding_snapshot -> 'persona' ->> 'persona_key' as persona,
            c.scaffolding_snapshot -> 'emotional_arc' ->> 'arc_key' as arc,
            c.scaffolding_snapshot -> 'training_topic' ->> 'topic_key' as topic,
            c.scaffolding_snapshot -> 'template' ->> 'template_key' as template,
            (c.scaffolding_snapshot -> 'template' ->> 'version')::integer as template_version,
            coalesce((c.scaffolding_snapshot ->> 'variation')::integer, 1) as variation,
            coalesce(c.scaffolding_snapshot -> 'variation_values', '{}') as variation_values
        from public.conversations c left join public.batches b on b.id = c.batch_id
        where c.id = any (ids)
        order by c.created_at, c.id
    ) page);
end
$$;

-- A conversation as a version keeps it: what is said, and where it comes from, by key.
create or replace function public.describe_version_row(c public.conversations) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'id', c.id, 'turns', c.turns, 'category', c.conversation_category, 'tier', c.tier, 'model', c.model,
        'variation', (select i.variation from public.batch_items i where i.id = c.batch_item_id),
        'variation_values', coalesce(c.scaffolding_snapshot -> 'variation_values', '{}'),
        'simulated', c.simulated, 'cost_usd', c.cost_usd, 'persona_id', c.persona_id,
        'emotional_arc_id', c.emotional_arc_id, 'training_topic_id', c.training_topic_id,
        'persona', c.scaffolding_snapshot -> 'persona' ->> 'persona_key',
        'arc', c.scaffolding_snapshot -> 'emotional_arc' ->> 'arc_key',
        'topic', c.scaffolding_snapshot -> 'training_topic' ->> 'topic_key',
        'template', c.scaffolding_snapshot -> 'template' ->> 'template_key',
        'template_version', (c.scaffolding_snapshot -> 'template' ->> 'version')::integer
    )
$$;

revoke all on public.variation_axes from anon, authenticated;
grant select on public.variation_axes to authenticated;
grant all on public.variation_axes to service_role;

revoke execute on function public.is_line_list(text[]), public.list_offered_axes(), public.save_axis(jsonb)
    from public, anon, authenticated;
grant execute on function public.is_line_list(text[]) to service_role;
grant execute on function public.list_offered_axes(), public.save_axis(jsonb) to authenticated, service_role;

-- The templates that ship ask for the variation. Their texts change in place: what they say for the first conversation of a
-- combination, and so of everything that was made of them before, stays the same to the letter.
update public.prompt_templates t
set user_prompt = replace(t.user_prompt, E'\n## Length\n', E'\n{% if variation %}\n## What is particular this time\nOther conversations share this client, subject and journey. Let this one differ from them in these respects, as far as they fit what is said above:\n{{ variation }}\n\n{% endif %}\n## Length\n')
where t.id in (
    '97fc8841-955b-5210-8dc1-2ba124647919',
    'f1644ee6-a4fd-5f64-8674-28a6aad2cb22',
    '44c4beca-e469-5585-b2ab-b0a15fb1f248',
    '063e2fe4-48d7-5cc9-8903-59355053951f',
    '177a8120-57cf-5d2b-950c-a0a2a722133a',
    'b337f16d-201a-5124-9224-b6e658e0fcc0',
    '8f603cfc-5202-59d0-bf5c-9ac53344fe15',
    '80353dd2-5240-5cd2-b33f-50f8ee727240'
) and t.user_prompt not like '%{{ variation }}%';
