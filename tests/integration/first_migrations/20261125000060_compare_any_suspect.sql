-- A comparison repeats the items of any suspect, not only of one persona, arc, topic or template.
--
-- request: {"batch_id", "scope", "change" (one key), and optionally "name", "items", "limit"}. `items` says how the items were
-- made, as matching_combinations (50) reads it; effort 'none' is the model's own, prompt_from is included and prompt_to not.
-- The rest is as in 52.
create or replace function public.create_experiment(request jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    base public.batches;
    template public.prompt_templates;
    change constant jsonb := request -> 'change';
    most constant integer := least(coalesce((request ->> 'limit')::integer, 10000), 10000);
    new_batch_id uuid := gen_random_uuid();
    new_name text;
    experiment public.experiments;
    chosen uuid[];
begin
    select b.* into base from public.batches b where b.id = (request ->> 'batch_id')::uuid and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if base.imported then
        return public.refuse_imported_batch();
    end if;
    if (select count(*) from jsonb_object_keys(change)) <> 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Change exactly one setting: with two, nobody could tell which of them made the difference.');
    end if;
    if change ->> 'model' = base.model or (change ->> 'max_tokens')::integer = base.max_tokens
        or change ->> 'effort' = base.effort or (change ->> 'structured_outputs')::boolean = base.structured_outputs then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'The batch has this setting already; there is nothing to compare. Choose another value.');
    end if;
    if change ? 'template_id' then
        select t.* into template from public.prompt_templates t
        where t.id = (change ->> 'template_id')::uuid and t.is_active;
        if not found or not base.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
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

    new_name := coalesce(request ->> 'name', 'Compare ' || base.name);
    -- The circuit breaker is off (nothing exceeds all items): an arm that fails often is a result, not an accident.
    insert into public.batches (
        id, name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, breaker_share, selection, snapshot, created_by
    )
    select new_batch_id, new_name, base.conversation_category, coalesce(change ->> 'model', base.model),
        coalesce((change ->> 'max_tokens')::integer, base.max_tokens), coalesce(change ->> 'effort', base.effort),
        coalesce((change ->> 'structured_outputs')::boolean, base.structured_outputs), base.concurrency, 'continue',
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
end
$$;
