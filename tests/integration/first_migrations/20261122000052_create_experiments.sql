-- Experiments: judged items of a batch once more, with one setting changed, each beside the item that it repeats.

create table public.experiments (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    scope text not null check (scope in ('judged', 'failed')),
    change jsonb not null,
    base_batch_id uuid not null references public.batches (id) on delete cascade,
    changed_batch_id uuid not null unique references public.batches (id) on delete cascade,
    pairs integer not null check (pairs >= 1),
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now()
);
comment on column public.experiments.change is 'The one setting that differs: model, max_tokens, effort, structured_outputs or template_id';
create index idx_experiments_created_by on public.experiments (created_by, created_at desc);
create index idx_experiments_base on public.experiments (base_batch_id);

create table public.experiment_pairs (
    changed_item_id uuid primary key references public.batch_items (id) on delete cascade,
    base_item_id uuid not null references public.batch_items (id) on delete cascade,
    experiment_id uuid not null references public.experiments (id) on delete cascade,
    created_by uuid not null references auth.users (id) on delete cascade,
    unique (experiment_id, base_item_id)
);
create index idx_experiment_pairs_base on public.experiment_pairs (base_item_id);
create index idx_experiment_pairs_created_by on public.experiment_pairs (created_by);

alter table public.experiments enable row level security;
alter table public.experiment_pairs enable row level security;
create policy "Users read their experiments" on public.experiments
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their pairs" on public.experiment_pairs
    for select to authenticated using (created_by = (select auth.uid()));
revoke all on public.experiments, public.experiment_pairs from anon, authenticated;
grant select on public.experiments, public.experiment_pairs to authenticated;
grant all on public.experiments, public.experiment_pairs to service_role;

-- request: {"batch_id", "scope", "change" (one key), and optionally "name", "persona_id", "emotional_arc_id",
-- "training_topic_id", "template_id", "limit"}. A new template takes the items of its arc only. The scaffolding stays as it was
-- in the base batch. Returns {"outcome": "created", "experiment"} or {"outcome": "rejected" | "not_found", "reason"}.
create function public.create_experiment(request jsonb) returns jsonb
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
        where i.batch_id = base.id
            and (i.status = 'failed' or (i.status = 'completed' and request ->> 'scope' = 'judged'))
            and (request ->> 'persona_id' is null or i.persona_id = (request ->> 'persona_id')::uuid)
            and (request ->> 'emotional_arc_id' is null or i.emotional_arc_id = (request ->> 'emotional_arc_id')::uuid)
            and (request ->> 'training_topic_id' is null or i.training_topic_id = (request ->> 'training_topic_id')::uuid)
            and (request ->> 'template_id' is null or i.template_id = (request ->> 'template_id')::uuid)
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

-- How the pairs of an experiment came out; null where there is no such experiment, or it is someone else's.
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

revoke execute on function public.create_experiment(jsonb), public.count_experiment_pairs(uuid) from public, anon;
grant execute on function public.create_experiment(jsonb), public.count_experiment_pairs(uuid) to authenticated;
