-- Batches and their items: submitting, retrying and controlling them, and the room that one analyst leaves for
-- others.

-- What one submission asks for: its settings, its selection, and the scaffolding as it was.
create table public.batches (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'paused', 'completed', 'failed', 'cancelled')),
    status_reason text,
    conversation_category varchar(20) not null check (conversation_category in ('core', 'edge')),
    model varchar(100) not null,
    max_tokens integer check (max_tokens >= 1),
    temperature numeric(3, 2),
    effort text check (effort in ('low', 'medium', 'high', 'xhigh', 'max')),
    structured_outputs boolean default true,
    concurrency integer not null default 3 check (concurrency between 1 and 200),
    error_handling text not null default 'continue' check (error_handling in ('continue', 'stop')),
    raise_max_tokens boolean not null default false,
    budget_usd numeric(12, 6) check (budget_usd > 0),
    canary_items integer not null default 0 check (canary_items >= 0),
    breaker_share double precision not null default 0.3 check (breaker_share > 0 and breaker_share <= 1),
    watched_since timestamptz not null default now(),
    retry_of uuid references public.batches (id) on delete set null,
    pace_limit integer check (pace_limit >= 1),
    pace_reason text,
    pace_changed_at timestamptz,
    selection jsonb not null,
    snapshot jsonb not null,
    estimated_seconds double precision,
    estimated_cost_usd numeric(12, 6),
    created_by uuid not null references auth.users (id) on delete cascade
        check (created_by <> '00000000-0000-0000-0000-000000000000'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz,
    imported boolean not null default false,
    stopped_at timestamptz,
    dataset_id uuid,
    canary_passed boolean not null default false,
    constraint batches_settings_check check (imported or (max_tokens is not null and structured_outputs is not null)),
    constraint batches_imported_check check (not imported or (status in ('completed', 'failed') and retry_of is null)),
    constraint batches_name_line check (public.is_line(name)),
    constraint batches_model_line check (public.is_line(model)),
    constraint batches_max_tokens_most check (imported or max_tokens <= 128000),
    constraint batches_budget_usd_most check (budget_usd < 1e6),
    constraint batches_canary_items_most check (canary_items <= 100000),
    constraint batches_estimated_seconds_most check (estimated_seconds between 0 and 1e9),
    constraint batches_estimated_cost_usd_most check (estimated_cost_usd between 0 and 1e6)
);
comment on column public.batches.snapshot is
    'Personas, arcs, topics and templates as they were at submission: {"personas": {id: row}, "arcs": ..., "topics": ..., "templates": ..., "axes": ...}';
comment on column public.batches.raise_max_tokens is
    'A reply cut by max_tokens is tried once more with twice the limit; the cut attempt stays recorded';
comment on column public.batches.canary_items is
    'So many items run first, alone; the rest only if enough of them are accepted. 0: no canary';
comment on column public.batches.canary_passed is 'Its canary has ended well, or somebody has resumed it since: not looked at again';
comment on column public.batches.breaker_share is
    'The batch is paused when more than this share of its last 20 closed items, or of its canary, failed';
comment on column public.batches.watched_since is
    'Breaker and canary look at items closed since; set anew when the analyst resumes';
comment on column public.batches.retry_of is 'The batch whose failed items these are';
comment on column public.batches.pace_limit is
    'Calls that may be in flight now, as Claude''s answers allow; null: as many as concurrency says';
comment on column public.batches.temperature is 'Null: none was sent (the API no longer takes one)';
comment on column public.batches.imported is 'Made by finish_import from files; closed from the beginning, nothing of it is ever generated';
comment on column public.batches.dataset_id is 'The data set whose plan it serves';
comment on column public.batches.stopped_at is 'When it was cancelled or stopped by a failure; calls that ran then may still end';
comment on constraint batches_model_line on public.batches is
    'Model: 1 to 100 characters on one line, some of them visible, no control or hidden characters.';
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
create index idx_batches_created_by on public.batches (created_by, created_at desc);
create index idx_batches_name on public.batches (created_by, name);
create index idx_batches_retry_of on public.batches (retry_of) where retry_of is not null;
create index idx_batches_open on public.batches (status) where status in ('queued', 'processing');
alter table public.batches enable row level security;
create policy "Users read their batches" on public.batches
    for select to authenticated using (created_by = (select auth.uid()));

-- One combination of a batch: the unit of work, retry and accounting. A worker holds it by a lease, a token that runs
-- out.
create table public.batch_items (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    position integer not null check (position >= 0),
    persona_id uuid not null,
    emotional_arc_id uuid not null,
    training_topic_id uuid not null,
    template_id uuid not null,
    tier text not null check (tier in ('template', 'scenario', 'edge_case')),
    max_tokens integer check (max_tokens >= 1),
    status text not null default 'queued' check (status in ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    available_at timestamptz not null default now(),
    lease_token uuid,
    lease_expires_at timestamptz,
    leased_by text,
    last_lease_token uuid,
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    imported boolean not null default false,
    lost_leases integer not null default 0 check (lost_leases >= 0),
    variation integer not null default 1 check (variation >= 1),
    unique (batch_id, position),
    check ((status = 'processing') = (lease_token is not null)),
    check ((lease_token is null) = (lease_expires_at is null))
);
comment on column public.batch_items.last_lease_token is
    'The lease that ran out: its worker may still bring a paid reply, as long as no one else has taken the item';
comment on column public.batch_items.max_tokens is
    'Overrides the batch''s limit: set when a reply was cut by it and the batch allows one raise';
comment on column public.batch_items.available_at is 'Not leased before this time; a retry waits here, so a wait survives its worker';
comment on column public.batch_items.variation is 'Counts the items of one combination, in its batch or over its data set';
comment on column public.batch_items.lost_leases is
    'How many workers in a row took the item and were gone before they had a result';
create index idx_batch_items_next on public.batch_items (batch_id, available_at, position) where status = 'queued';
create index idx_batch_items_leases on public.batch_items (lease_expires_at) where status = 'processing';
create index idx_batch_items_created_by on public.batch_items (created_by);
create index idx_batch_items_watch on public.batch_items (batch_id, status, position) include (created_by);
create index idx_batch_items_finished on public.batch_items (batch_id, finished_at desc) include (status, created_by)
    where status in ('completed', 'failed');
create index idx_batch_items_judged on public.batch_items (created_by, finished_at) include (status)
    where status in ('completed', 'failed') and not imported;
alter table public.batch_items enable row level security;
create policy "Users read their items" on public.batch_items
    for select to authenticated using (created_by = (select auth.uid()));

-- How the items of each batch stand, and what its calls have used. A lease, a record or a look at the monitor reads one row
-- instead of counting up to 100,000; the triggers of items and attempts keep it in the same transaction, so that it is
-- their count at any moment, and nothing else writes it.
create table public.batch_totals (
    batch_id uuid primary key references public.batches (id) on delete cascade,
    planned integer not null default 0,
    queued integer not null default 0,
    processing integer not null default 0,
    completed integer not null default 0,
    failed integer not null default 0,
    cancelled integer not null default 0,
    attempts integer not null default 0,
    simulated_attempts integer not null default 0,
    cost_usd numeric not null default 0,
    priced_calls integer not null default 0,
    unpriced_replies integer not null default 0,
    input_tokens bigint not null default 0,
    output_tokens bigint not null default 0
) with (fillfactor = 50);
comment on table public.batch_totals is 'Counts of the items of each batch by status, and sums over its attempts; kept by triggers';
alter table public.batch_totals enable row level security;
create policy "Users read the totals of their batches" on public.batch_totals
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- What was judged in each batch, in the order in which it was: parts of about 100 items, of which the monitor draws its curve
-- where a batch is large. Kept like the totals.
create table public.batch_trend (
    batch_id uuid not null references public.batches (id) on delete cascade,
    part integer not null,
    accepted integer not null,
    failed integer not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    primary key (batch_id, part)
);
comment on table public.batch_trend is 'Judged items of each batch in parts of about 100, in their order; kept by a trigger';
alter table public.batch_trend enable row level security;
create policy "Users read the trends of their batches" on public.batch_trend
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- How often each stop_reason came in a batch's attempts; 'none' where no reply came. Kept like the totals.
create table public.batch_stop_reasons (
    batch_id uuid not null references public.batches (id) on delete cascade,
    stop_reason text not null,
    attempts integer not null,
    primary key (batch_id, stop_reason)
);
comment on table public.batch_stop_reasons is 'Attempts of each batch by stop_reason; kept by a trigger';
alter table public.batch_stop_reasons enable row level security;
create policy "Users read the stop reasons of their batches" on public.batch_stop_reasons
    for select to authenticated using (exists (
        select 1 from public.batches b where b.id = batch_id and b.created_by = (select auth.uid())
    ));

-- Adds new items to the totals of their batches.
create function public.count_new_items() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.batch_totals as kept (batch_id, planned, queued, processing, completed, failed, cancelled)
    select a.batch_id, count(*), count(*) filter (where a.status = 'queued'), count(*) filter (where a.status = 'processing'),
        count(*) filter (where a.status = 'completed'), count(*) filter (where a.status = 'failed'),
        count(*) filter (where a.status = 'cancelled')
    from added a group by a.batch_id
    on conflict (batch_id) do update set planned = kept.planned + excluded.planned, queued = kept.queued + excluded.queued,
        processing = kept.processing + excluded.processing, completed = kept.completed + excluded.completed,
        failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
    return null;
end
$$;
create trigger count_new_items after insert on public.batch_items
    referencing new table as added for each statement execute function public.count_new_items();

-- Moves items whose status has changed from one total of their batches to another, and adds the judged ones to the trend.
create function public.count_changed_items() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.batch_trend as kept (batch_id, part, accepted, failed, begins_at, ends_at)
    select n.batch_id, (t.completed + t.failed) / 100, count(*) filter (where n.status = 'completed'),
        count(*) filter (where n.status = 'failed'), min(n.finished_at), max(n.finished_at)
    from after n join before o on o.id = n.id join public.batch_totals t on t.batch_id = n.batch_id
    where n.status in ('completed', 'failed') and n.status <> o.status and n.finished_at is not null
    group by n.batch_id, (t.completed + t.failed) / 100
    on conflict (batch_id, part) do update set accepted = kept.accepted + excluded.accepted,
        failed = kept.failed + excluded.failed, begins_at = least(kept.begins_at, excluded.begins_at),
        ends_at = greatest(kept.ends_at, excluded.ends_at);
    update public.batch_totals t
    set queued = t.queued + d.queued, processing = t.processing + d.processing, completed = t.completed + d.completed,
        failed = t.failed + d.failed, cancelled = t.cancelled + d.cancelled
    from (
        select c.batch_id, sum(c.change) filter (where c.status = 'queued') as queued,
            sum(c.change) filter (where c.status = 'processing') as processing,
            sum(c.change) filter (where c.status = 'completed') as completed,
            sum(c.change) filter (where c.status = 'failed') as failed,
            sum(c.change) filter (where c.status = 'cancelled') as cancelled
        from (
            select o.batch_id, o.status, -1 as change from before o union all select n.batch_id, n.status, 1 from after n
        ) c
        group by c.batch_id
    ) s
    cross join lateral (
        select coalesce(s.queued, 0) as queued, coalesce(s.processing, 0) as processing,
            coalesce(s.completed, 0) as completed, coalesce(s.failed, 0) as failed, coalesce(s.cancelled, 0) as cancelled
    ) d
    where t.batch_id = s.batch_id and (d.queued, d.processing, d.completed, d.failed, d.cancelled) <> (0, 0, 0, 0, 0);
    return null;
end
$$;
create trigger count_changed_items after update on public.batch_items
    referencing old table as before new table as after for each statement execute function public.count_changed_items();

-- What submit_batch is sent.
create type public.batch_request as (
    name text, conversation_category text, persona_ids uuid[], arc_ids uuid[], topic_ids uuid[], "limit" integer,
    skip_existing text, picks integer[], without_templates uuid[], model text, max_tokens integer, effort text,
    structured_outputs boolean, concurrency integer, error_handling text, raise_max_tokens boolean, budget_usd numeric,
    canary_items integer, estimated_seconds double precision, estimated_cost_usd numeric, dataset_id uuid,
    per_combination integer
);

-- What a retry or a comparison may change of a batch's settings.
create type public.batch_changes as (
    name text, model text, max_tokens integer, effort text, structured_outputs boolean, template_id uuid
);

-- Makes a batch of the caller with an item for each combination of the selection. `picks` chooses positions of the
-- grid (persona x arc x topic) and their order, and with `dataset_id` only what its plan still misses is taken of them;
-- `skip_existing` leaves out combinations that have a conversation ('real': one that Claude wrote; 'any': or the
-- simulation; those of comparisons do not count), and the limit counts them; `per_combination` items are made of each combination
-- that is left, the first of all before the second of any, but of a data set what it misses; `without_templates` are offered templates that the
-- caller knows to be of no use. Returns {"outcome": "submitted" | "rejected", "batch_id", "planned", "reason"}.
create function public.submit_batch(request jsonb) returns jsonb
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

-- Refuses items that name scaffolding which is not there. An imported item may also name a name that its owner
-- imported; foreign keys cannot say "one or the other", so a check of each statement's new rows does.
create function public.check_item_scaffolding() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (
        select 1
        from (
            select distinct k.kind, k.id, case when a.imported then a.created_by end as importer
            from added a cross join lateral (values ('persona', a.persona_id), ('arc', a.emotional_arc_id),
                ('topic', a.training_topic_id), ('template', a.template_id)) k(kind, id)
        ) named
        where not exists (
            select 1 from public.personas p where named.kind = 'persona' and p.id = named.id
            union all select 1 from public.emotional_arcs e where named.kind = 'arc' and e.id = named.id
            union all select 1 from public.training_topics t where named.kind = 'topic' and t.id = named.id
            union all select 1 from public.prompt_templates t where named.kind = 'template' and t.id = named.id
            union all select 1 from public.imported_names n
                where n.kind = named.kind and n.id = named.id and n.created_by = named.importer
        )
    ) then
        raise foreign_key_violation using message = 'An item names scaffolding that is not there.';
    end if;
    return null;
end
$$;
create trigger check_item_scaffolding after insert on public.batch_items
    referencing new table as added for each statement execute function public.check_item_scaffolding();

-- The most that one analyst may take of the database, whatever others take: the one place with these figures
-- (docs/security.md lists them).
create function public.most_of_an_analyst(what text) returns bigint
language sql stable parallel safe set search_path = ''
as $$
    select case what
        when 'batches that have not ended' then 100
        when 'bytes of batches that wait or were stopped' then 1000000000
        when 'imports that have not ended' then 20
        when 'bytes of imports' then 1000000000
        when 'data sets' then 1000
    end
$$;

-- Refuses a batch beyond what an analyst may have waiting or stopped, so that room is left for others. What is
-- generated costs time and money and needs no limit; what waits or was cancelled costs its analyst nothing. An item
-- counts as 1,000 bytes, about what its rows and indexes take.
create function public.check_batch_room() returns trigger
language plpgsql set search_path = ''
as $$
declare
    taken record;
begin
    if auth.uid() is null then
        return new;
    end if;
    select count(*) filter (where b.status in ('queued', 'processing', 'paused')) as batches,
        coalesce(sum(pg_column_size(b.snapshot) + 1000 * (
            select count(*) from public.batch_items i where i.batch_id = b.id and i.status in ('queued', 'cancelled')
        )), 0) as bytes
    into taken
    from public.batches b
    where b.created_by = auth.uid() and not b.imported and b.status <> 'completed';
    if taken.batches >= public.most_of_an_analyst('batches that have not ended') then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'You have %s batches that have not ended, and that is the most. Wait until one has, or cancel one.', taken.batches);
    end if;
    if taken.bytes + pg_column_size(new.snapshot) > public.most_of_an_analyst('bytes of batches that wait or were stopped') then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Your batches that wait or were stopped hold as much as they may (about a million conversations). '
            'Wait until some are generated, or ask whoever administers the database to delete stopped batches.';
    end if;
    return new;
end
$$;
create trigger check_batch_room before insert on public.batches
    for each row when (not new.imported) execute function public.check_batch_room();

-- Gives a batch a name that no other batch of its analyst has: the second "X" is "X (2)".
create function public.name_batch() returns trigger
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
create trigger name_batch before insert on public.batches for each row execute function public.name_batch();

-- How many combinations of a selection have a conversation already: {"existing"}, by the same rule as `skip_existing`
-- of submit_batch.
create function public.count_existing_combinations(request jsonb) returns jsonb
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

-- Results by persona, arc, topic or template (`kind`): the caller's accepted and failed items, by id. Imported
-- items do not count.
create function public.count_scaffolding_uses(kind text) returns table (id uuid, accepted integer, failed integer)
language sql stable set search_path = ''
as $$
    select u.id, sum(u.accepted)::integer, sum(u.failed)::integer
    from (
        select case kind when 'persona' then i.persona_id when 'arc' then i.emotional_arc_id
                when 'topic' then i.training_topic_id else i.template_id end as id,
            (i.status = 'completed')::integer as accepted, (i.status = 'failed')::integer as failed
        from public.batch_items i
        where i.created_by = (select auth.uid()) and i.status in ('completed', 'failed') and not i.imported
    ) u
    group by u.id
$$;

-- The failed items of a batch whose combination no retry of it, or of its retries, has accepted since or still works on.
create function public.list_items_to_retry(target_batch_id uuid) returns setof public.batch_items
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

-- Makes a new batch of a batch's failed items that no retry has fixed, perhaps with other settings. A new template replaces
-- that of its arc; others stay. Returns what submit_batch does, or {"outcome": "not_found"}.
create function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
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
create function public.list_retry_templates(target_batch_id uuid) returns jsonb
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

-- Pauses, resumes or cancels a batch of the caller (`action`); resuming may set a new budget. Returns {"outcome":
-- "done" | "rejected" | "not_found", "status", "reason"}.
create function public.control_batch(target_batch_id uuid, action text, new_budget_usd numeric default null)
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

-- The answer to retrying or comparing a batch that was imported: it has no prompts, so none of its items can be
-- generated again.
create function public.refuse_imported_batch() returns jsonb
language sql immutable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'This batch was imported: it has no prompts, so nothing of it can be generated again. '
        'Generate the same combinations as a new batch.')
$$;
