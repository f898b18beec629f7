-- submit_batch: a batch and all items of its grid, in one statement each, or nothing.
--
-- The grid is persona x arc x topic in the order of the given arrays; `picks`, if given, are the row-major positions of the
-- grid that are wanted (the caller samples). Returns {"outcome": "submitted", "batch_id", "planned"} or
-- {"outcome": "rejected", "reason"}.

create function public.submit_batch(request jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    max_items constant integer := 100000;
    owner uuid := auth.uid();
    persona_ids uuid[] := array(select p::uuid from jsonb_array_elements_text(request -> 'persona_ids') p);
    arc_ids uuid[] := array(select a::uuid from jsonb_array_elements_text(request -> 'arc_ids') a);
    topic_ids uuid[] := array(select t::uuid from jsonb_array_elements_text(request -> 'topic_ids') t);
    picks integer[] := case when jsonb_typeof(request -> 'picks') = 'array'
        then array(select k::integer from jsonb_array_elements_text(request -> 'picks') k) end;
    grid_size bigint := cardinality(persona_ids)::bigint * cardinality(arc_ids) * cardinality(topic_ids);
    templates jsonb;
    missing text;
    new_batch_id uuid;
    planned integer;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: a batch belongs to a user.');
    end if;
    if grid_size = 0 or cardinality(picks) = 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Select at least one persona, one arc and one topic.');
    end if;
    if coalesce(cardinality(picks), grid_size) > max_items then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('A batch holds at most %s conversations; this selection has %s. Select fewer or set a limit.',
                max_items, coalesce(cardinality(picks), grid_size)));
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
    ) w;
    if missing is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Not there, not active or of the other category: ' || missing || '. Reload and select again.');
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
        r.error_handling, coalesce(r.raise_max_tokens, false), r.budget_usd, coalesce(r.canary_items, 0), request - 'name' - 'picks',
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
    select new_batch_id, row_number() over (order by g.pick_order, g.grid_position) - 1,
        g.persona_id, g.arc_id, g.topic_id, (templates -> g.arc_id::text ->> 'id')::uuid,
        case when arc.conversation_category = 'edge' then 'edge_case' else arc.tier end, owner
    from (
        select p.id as persona_id, a.id as arc_id, t.id as topic_id,
            ((p.n - 1) * cardinality(arc_ids) + (a.n - 1)) * cardinality(topic_ids) + (t.n - 1) as grid_position,
            k.n as pick_order
        from unnest(persona_ids) with ordinality p(id, n)
        cross join unnest(arc_ids) with ordinality a(id, n)
        cross join unnest(topic_ids) with ordinality t(id, n)
        left join unnest(picks) with ordinality k(grid_position, n)
            on k.grid_position = ((p.n - 1) * cardinality(arc_ids) + (a.n - 1)) * cardinality(topic_ids) + (t.n - 1)
        where picks is null or k.grid_position is not null
    ) g
    join public.emotional_arcs arc on arc.id = g.arc_id;
    get diagnostics planned = row_count;

    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
end
$$;

revoke execute on function public.submit_batch(jsonb) from public, anon;
grant execute on function public.submit_batch(jsonb) to authenticated;
