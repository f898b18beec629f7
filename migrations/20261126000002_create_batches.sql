-- Batches: what one submission asks for, and its items, the unit of work, retry and accounting.

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
    breaker_window integer not null default 20 check (breaker_window >= 1),
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
    constraint batches_settings_check check (imported or (max_tokens is not null and structured_outputs is not null)),
    constraint batches_imported_check check (not imported or (status in ('completed', 'failed') and retry_of is null))
);
comment on column public.batches.snapshot is
    'Personas, arcs, topics and templates as they were at submission: {"personas": {id: row}, "arcs": ..., "topics": ..., "templates": ...}';
comment on column public.batches.raise_max_tokens is
    'A reply cut by max_tokens is tried once more with twice the limit; the cut attempt stays recorded';
comment on column public.batches.canary_items is
    'The first so many items run alone; the rest only if enough of them pass. 0: no canary';
comment on column public.batches.breaker_share is
    'The batch pauses itself when more than this share of its last breaker_window closed items failed';
comment on column public.batches.watched_since is
    'Breaker and canary look at items closed since; set anew when the analyst resumes';
comment on column public.batches.retry_of is 'The batch whose failed items these are';
comment on column public.batches.pace_limit is
    'Calls that may be in flight now, as Claude''s answers allow; null: as many as concurrency says';
comment on column public.batches.temperature is 'Null: none was sent (the API no longer takes one)';
comment on column public.batches.imported is 'Made by finish_import from files; closed from the beginning, nothing of it is ever generated';
create index idx_batches_created_by on public.batches (created_by, created_at desc);
create index idx_batches_retry_of on public.batches (retry_of) where retry_of is not null;
create index idx_batches_open on public.batches (status) where status in ('queued', 'processing');

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
    unique (batch_id, position),
    check ((status = 'processing') = (lease_token is not null)),
    check ((lease_token is null) = (lease_expires_at is null))
);
comment on column public.batch_items.last_lease_token is
    'The lease that ran out: its worker may still bring a paid reply, as long as no one else has taken the item';
comment on column public.batch_items.max_tokens is
    'Overrides the batch''s limit: set when a reply was cut by it and the batch allows one raise';
comment on column public.batch_items.available_at is 'Not leased before this time; a retry waits here, so a wait survives its worker';
create index idx_batch_items_next on public.batch_items (batch_id, available_at, position) where status = 'queued';
create index idx_batch_items_leases on public.batch_items (lease_expires_at) where status = 'processing';
create index idx_batch_items_created_by on public.batch_items (created_by);
create index idx_batch_items_watch on public.batch_items (batch_id, status, position) include (created_by);
create index idx_batch_items_finished on public.batch_items (batch_id, finished_at desc) include (status, created_by)
    where status in ('completed', 'failed');
create index idx_batch_items_judged on public.batch_items (created_by, finished_at) include (status)
    where status in ('completed', 'failed') and not imported;

alter table public.batches enable row level security;
alter table public.batch_items enable row level security;

create policy "Users read their batches" on public.batches
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their items" on public.batch_items
    for select to authenticated using (created_by = (select auth.uid()));

revoke all on public.batches, public.batch_items from anon, authenticated;
grant select on public.batches, public.batch_items to authenticated;

-- A batch and all items of its grid, or nothing.
--
-- The grid is persona x arc x topic in the order of the given arrays; `picks`, if given, are the row-major positions of the
-- grid that are wanted (the caller samples). `skip_existing`: null (nothing is left out), "real" (combinations with a conversation of
-- the caller that Claude wrote) or "any" (simulated conversations count, too). A conversation that its reviewer rejected counts as
-- none. What is left out is decided here, in the transaction that writes the items; `picks` are then the whole order in which
-- combinations are wanted, and the first `limit` of what is left are taken, so the sample stays even.
-- Returns {"outcome": "submitted", "batch_id", "planned"} or {"outcome": "rejected", "reason"}.
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
    skip text := request ->> 'skip_existing';
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
    if skip is not null and skip not in ('real', 'any') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'skip_existing is "real", "any" or null.');
    end if;
    if skip is not null then
        select array_agg(g.grid_position order by g.pick_order) into picks from (
            select c.grid_position, c.pick_order
            from (
                select p.id as persona_id, a.id as arc_id, t.id as topic_id, l.grid_position,
                    coalesce(k.n, l.grid_position) as pick_order
                from unnest(persona_ids) with ordinality p(id, n)
                cross join unnest(arc_ids) with ordinality a(id, n)
                cross join unnest(topic_ids) with ordinality t(id, n)
                cross join lateral (
                    select (((p.n - 1) * cardinality(arc_ids) + (a.n - 1)) * cardinality(topic_ids) + (t.n - 1))::integer
                        as grid_position
                ) l
                left join unnest(picks) with ordinality k(grid_position, n) on k.grid_position = l.grid_position
                where picks is null or k.n is not null
            ) c
            where not exists (
                select 1 from public.conversations done
                where done.created_by = owner and done.persona_id = c.persona_id
                    and done.emotional_arc_id = c.arc_id and done.training_topic_id = c.topic_id
                    and done.review_status <> 'rejected' and (skip = 'any' or not done.simulated)
            )
            order by c.pick_order
            limit (request ->> 'limit')::integer
        ) g;
        if picks is null then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'Every combination of this selection has a conversation already; nothing is left to generate.');
        end if;
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

-- Controls a batch.
--
-- action: pause | resume | cancel; resuming may set a new budget. Returns {"outcome": "done" | "rejected" | "not_found", "status", "reason"}.
create function public.control_batch(target_batch_id uuid, action text, new_budget_usd numeric default null) returns jsonb
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
                    else 'changed by "' || action || '"' end));
    end if;
    return jsonb_build_object('outcome', 'done',
        'status', (select b.status from public.batches b where b.id = target_batch_id));
end
$$;

-- A new batch of a batch's failed items, the same or with changed settings; the two stay linked.
--
-- `changes` may hold name, model, max_tokens, effort, structured_outputs (a key that is absent changes nothing) and
-- template_id, an active template that replaces the one of its arc. The scaffolding stays as it was in the first batch. The estimate
-- is the batch's, by share, so that a budget holds from the first call on.
-- Returns {"outcome": "submitted", "batch_id", "planned"} or {"outcome": "rejected" | "not_found", "reason"}.
create function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
    planned integer;
begin
    select b.* into old_batch from public.batches b where b.id = target_batch_id and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if old_batch.imported then
        return public.refuse_imported_batch();
    end if;
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
    select coalesce(changes ->> 'name', 'Retry of ' || old_batch.name), old_batch.conversation_category,
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
end
$$;

-- How many combinations of a selection have a conversation already: {"existing"}. The same rule as in submit_batch.
create function public.count_existing_combinations(request jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    owner uuid := auth.uid();
    persona_ids uuid[] := array(select p::uuid from jsonb_array_elements_text(request -> 'persona_ids') p);
    arc_ids uuid[] := array(select a::uuid from jsonb_array_elements_text(request -> 'arc_ids') a);
    topic_ids uuid[] := array(select t::uuid from jsonb_array_elements_text(request -> 'topic_ids') t);
    skip text := request ->> 'skip_existing';
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

-- What came of each persona, arc, topic or template: the caller's generated items, by id.
create function public.count_scaffolding_uses(kind text) returns table (id uuid, accepted integer, failed integer)
language sql stable
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

-- The active templates that a retry of this batch's failed items may use instead of those it used.
create function public.list_retry_templates(target_batch_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'name', t.name, 'version', t.version, 'arc', a.name,
        'is_used', exists (
            select 1 from public.batch_items i
            where i.batch_id = target_batch_id and i.status = 'failed' and i.template_id = t.id
        )
    ) order by a.name, t.version desc, t.id), '[]')
    from public.prompt_templates t join public.emotional_arcs a on a.id = t.emotional_arc_id
    where t.is_active and t.emotional_arc_id in (
        select i.emotional_arc_id from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    )
$$;

-- An item names scaffolding, or, where it was imported, perhaps a name of its owner. Foreign keys cannot say "the one or the
-- other", so a check of each statement's new rows does.
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

-- Why a batch that was imported cannot be retried or repeated: its items cannot be generated again. Null for any other batch.
create function public.refuse_imported_batch() returns jsonb
language sql immutable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'This batch was imported: it has no prompts, so nothing of it can be generated again. '
        'Generate the same combinations as a new batch.')
$$;

-- Who may call what.
revoke execute on function
    public.submit_batch(jsonb), public.control_batch(uuid, text, numeric), public.retry_failed_items(uuid, jsonb),
    public.count_existing_combinations(jsonb), public.count_scaffolding_uses(text), public.list_retry_templates(uuid),
    public.check_item_scaffolding(), public.refuse_imported_batch()
    from public, anon, authenticated, service_role;
grant execute on function
    public.submit_batch(jsonb), public.control_batch(uuid, text, numeric), public.retry_failed_items(uuid, jsonb),
    public.count_existing_combinations(jsonb), public.count_scaffolding_uses(text), public.list_retry_templates(uuid)
    to authenticated, service_role;
grant execute on function
    public.check_item_scaffolding(), public.refuse_imported_batch()
    to service_role;
