-- Experiments: comparisons of the same items with and without one changed setting.

-- A comparison: judged items of a batch, generated again with one setting changed.
create table public.experiments (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    scope text not null check (scope in ('judged', 'failed')),
    change jsonb not null,
    base_batch_id uuid not null references public.batches (id) on delete cascade,
    changed_batch_id uuid not null unique references public.batches (id) on delete cascade,
    pairs integer not null check (pairs >= 1),
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    constraint experiments_name_line check (public.is_line(name))
);
comment on column public.experiments.change is 'The one setting that differs: model, max_tokens, effort, structured_outputs or template_id';
comment on constraint experiments_scope_check on public.experiments is 'Scope: judged or failed.';
create index idx_experiments_created_by on public.experiments (created_by, created_at desc);
create index idx_experiments_base on public.experiments (base_batch_id);
alter table public.experiments enable row level security;
create policy "Users read their experiments" on public.experiments
    for select to authenticated using (created_by = (select auth.uid()));

-- Which item of the new batch repeats which item of the base batch.
create table public.experiment_pairs (
    changed_item_id uuid primary key references public.batch_items (id) on delete cascade,
    base_item_id uuid not null references public.batch_items (id) on delete cascade,
    experiment_id uuid not null references public.experiments (id) on delete cascade,
    created_by uuid not null references auth.users (id) on delete cascade,
    unique (experiment_id, base_item_id)
);
create index idx_experiment_pairs_base on public.experiment_pairs (base_item_id);
create index idx_experiment_pairs_created_by on public.experiment_pairs (created_by);
alter table public.experiment_pairs enable row level security;
create policy "Users read their pairs" on public.experiment_pairs
    for select to authenticated using (created_by = (select auth.uid()));

-- What create_experiment is sent; `items` are filters of matching_combinations.
create type public.experiment_request as (batch_id uuid, scope text, change jsonb, name text, items jsonb, "limit" integer);

-- Starts a comparison: makes a batch of the base batch's judged (or failed) items that match, with one setting
-- changed. Returns {"outcome": "created" | "rejected" | "not_found", "experiment", "reason"}.
create function public.create_experiment(request jsonb) returns jsonb
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

-- How the pairs of a comparison came out; null where there is no such comparison, or it is someone else's.
create function public.count_experiment_pairs(target_experiment_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'experiment', to_jsonb(e),
        'both_failed', p.both_failed, 'only_base_failed', p.only_base_failed,
        'only_changed_failed', p.only_changed_failed, 'neither_failed', p.neither_failed, 'open', p.open,
        'simulated', (
            select coalesce(bool_or(o.simulated), false) from public.item_outcomes o where o.batch_id = e.changed_batch_id
                and o.created_by = e.created_by
        )
    )
    from public.experiments e
    cross join lateral (
        select count(*) filter (where b.status = 'failed' and c.status = 'failed') as both_failed,
            count(*) filter (where b.status = 'failed' and c.status = 'completed') as only_base_failed,
            count(*) filter (where b.status = 'completed' and c.status = 'failed') as only_changed_failed,
            count(*) filter (where b.status = 'completed' and c.status = 'completed') as neither_failed,
            count(*) filter (where c.status not in ('completed', 'failed')) as open
        from public.experiment_pairs x
        join public.batch_items b on b.id = x.base_item_id
        join public.batch_items c on c.id = x.changed_item_id
        where x.experiment_id = e.id
    ) p
    where e.id = target_experiment_id
$$;
