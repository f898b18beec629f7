-- Imports: an existing data set, judged as `scan` judges it, beside what was generated here, so that it can be diagnosed.
--
-- Rows come in chunks into import_rows, which nobody reads; finish_import turns them into a batch in one transaction. What was
-- interrupted is never seen, and is swept when its owner imports again. An import makes judged items and failures, never a
-- conversation: the training data hold only what was generated and judged here. No call is noted for it, so it has no part in
-- spend, estimates or pace.

alter table public.batches add column imported boolean not null default false;
alter table public.batch_items add column imported boolean not null default false;
alter table public.failed_generations add column imported boolean not null default false;
comment on column public.batches.imported is 'Made by finish_import from files; closed from the beginning, nothing of it is ever generated';

-- A record may not say how it was made.
alter table public.batches alter column max_tokens drop not null, alter column structured_outputs drop not null,
    add constraint batches_settings_check check (imported or (max_tokens is not null and structured_outputs is not null)),
    add constraint batches_imported_check check (not imported or (status in ('completed', 'failed') and retry_of is null));
alter table public.failed_generations alter column max_tokens drop not null,
    add constraint failed_generations_max_tokens_check check (imported or max_tokens is not null);
alter table public.outcome_combinations alter column max_tokens drop not null, alter column structured_outputs drop not null;

-- What records of imported files call a persona, arc, topic or template that is not in the scaffolding.
create table public.imported_names (
    id uuid primary key default gen_random_uuid(),
    created_by uuid not null references auth.users (id) on delete cascade,
    kind text not null check (kind in ('persona', 'arc', 'topic', 'template')),
    name text not null check (name <> '' and length(name) <= 200)
);
create unique index idx_imported_names_name on public.imported_names (created_by, kind, lower(name));

-- The files that were imported: the same content is never imported twice.
create table public.import_files (
    batch_id uuid not null references public.batches (id) on delete cascade,
    import_id uuid not null,
    created_by uuid not null references auth.users (id) on delete cascade,
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    name text not null,
    primary key (created_by, digest)
);
create index idx_import_files_batch on public.import_files (batch_id);
create index idx_import_files_import on public.import_files (import_id);

-- Imports that are under way, and what they have brought so far.
create table public.imports (
    id uuid primary key default gen_random_uuid(),
    created_by uuid not null references auth.users (id) on delete cascade,
    name text not null check (name <> ''),
    files jsonb not null,
    created_at timestamptz not null default now()
);
create index idx_imports_created_by on public.imports (created_by, created_at);
create table public.import_rows (
    import_id uuid not null references public.imports (id) on delete cascade,
    position integer not null check (position >= 0),
    item jsonb not null,
    item_id uuid not null default gen_random_uuid(),
    persona_id uuid,
    emotional_arc_id uuid,
    training_topic_id uuid,
    template_id uuid,
    primary key (import_id, position)
);

alter table public.imported_names enable row level security;
alter table public.import_files enable row level security;
alter table public.imports enable row level security;
alter table public.import_rows enable row level security;
create policy "Users read the names they imported" on public.imported_names
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read the files they imported" on public.import_files
    for select to authenticated using (created_by = (select auth.uid()));
revoke all on public.imported_names, public.import_files, public.imports, public.import_rows from anon, authenticated;
grant select on public.imported_names, public.import_files to authenticated;
grant all on public.imported_names, public.import_files, public.imports, public.import_rows to service_role;

-- An item names scaffolding, or, where it was imported, perhaps a name of its owner. Foreign keys cannot say "the one or the
-- other", so a check of each statement's new rows does.
alter table public.batch_items
    drop constraint batch_items_persona_id_fkey, drop constraint batch_items_emotional_arc_id_fkey,
    drop constraint batch_items_training_topic_id_fkey, drop constraint batch_items_template_id_fkey;

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

-- request: {"name", "files": [{"digest", "name"}]}. Returns {"outcome": "begun", "import_id", "known"} or, where nothing is new,
-- {"outcome": "known", "known"}; known: [{"digest", "batch_id", "batch_name"}], files that were imported before.
create function public.begin_import(request jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    owner uuid := auth.uid();
    known jsonb;
    new_import_id uuid;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: an import belongs to a user.');
    end if;
    -- Interrupted long ago; nothing refers to it.
    delete from public.imports i where i.created_by = owner and i.created_at < now() - interval '1 day';
    select coalesce(jsonb_agg(jsonb_build_object('digest', f.digest, 'batch_id', b.id, 'batch_name', b.name)), '[]') into known
    from public.import_files f join public.batches b on b.id = f.batch_id
    where f.created_by = owner and f.digest in (select g ->> 'digest' from jsonb_array_elements(request -> 'files') g);
    if jsonb_array_length(known) = jsonb_array_length(request -> 'files') then
        return jsonb_build_object('outcome', 'known', 'known', known);
    end if;
    insert into public.imports (created_by, name, files)
    select owner, left(request ->> 'name', 200), jsonb_agg(g)
    from jsonb_array_elements(request -> 'files') g
    where not exists (select 1 from jsonb_array_elements(known) k where k ->> 'digest' = g ->> 'digest')
    returning id into new_import_id;
    return jsonb_build_object('outcome', 'begun', 'import_id', new_import_id, 'known', known);
end
$$;

-- items: [{"position", ...}], see core/domain/importing.py. The same position again is the same conversation: the first failure
-- of it is kept. Returns {"outcome": "staged" | "not_found"}.
create function public.stage_import(target_import_id uuid, items jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    if not exists (
        select 1 from public.imports i where i.id = target_import_id and i.created_by = auth.uid()
    ) then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    insert into public.import_rows as kept (import_id, position, item)
    select target_import_id, (given ->> 'position')::integer, given from jsonb_array_elements(items) given
    on conflict (import_id, position) do update set item = excluded.item
        where jsonb_typeof(kept.item -> 'failure') = 'null';
    return jsonb_build_object('outcome', 'staged');
end
$$;

-- Gives every name that is not in the scaffolding an id, and every row its four ids.
create function public.resolve_import_names(target_import_id uuid, owner uuid) returns void
language plpgsql set search_path = ''
as $$
begin
    insert into public.imported_names (created_by, kind, name)
    select distinct on (k.kind, lower(k.named ->> 'name')) owner, k.kind, k.named ->> 'name'
    from public.import_rows r cross join lateral (values ('persona', r.item -> 'persona'), ('arc', r.item -> 'arc'),
        ('topic', r.item -> 'topic'), ('template', r.item -> 'template')) k(kind, named)
    where r.import_id = target_import_id and k.named ->> 'id' is null
    on conflict do nothing;
    -- By subqueries, not joins: nobody has counted these rows yet, and a join planned for a few of them takes minutes.
    update public.import_rows r
    set persona_id = coalesce((r.item #>> '{persona,id}')::uuid, (select n.id from public.imported_names n
            where n.created_by = owner and n.kind = 'persona' and lower(n.name) = lower(r.item #>> '{persona,name}'))),
        emotional_arc_id = coalesce((r.item #>> '{arc,id}')::uuid, (select n.id from public.imported_names n
            where n.created_by = owner and n.kind = 'arc' and lower(n.name) = lower(r.item #>> '{arc,name}'))),
        training_topic_id = coalesce((r.item #>> '{topic,id}')::uuid, (select n.id from public.imported_names n
            where n.created_by = owner and n.kind = 'topic' and lower(n.name) = lower(r.item #>> '{topic,name}'))),
        template_id = coalesce((r.item #>> '{template,id}')::uuid, (select n.id from public.imported_names n
            where n.created_by = owner and n.kind = 'template' and lower(n.name) = lower(r.item #>> '{template,name}')))
    where r.import_id = target_import_id;
end
$$;

-- What the batch of an import shows of its scaffolding: rows as they are now, of others the name that the records give.
create function public.snapshot_import(target_import_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    with used as materialized (
        select distinct k.kind, k.id from public.import_rows r
        cross join lateral (values ('personas', r.persona_id), ('arcs', r.emotional_arc_id), ('topics', r.training_topic_id),
            ('templates', r.template_id)) k(kind, id)
        where r.import_id = target_import_id
    ), described as (
        select u.kind, u.id, coalesce(to_jsonb(p), to_jsonb(e), to_jsonb(t), to_jsonb(m), jsonb_build_object('name', n.name))
            as described
        from used u
            left join public.personas p on u.kind = 'personas' and p.id = u.id
            left join public.emotional_arcs e on u.kind = 'arcs' and e.id = u.id
            left join public.training_topics t on u.kind = 'topics' and t.id = u.id
            left join public.prompt_templates m on u.kind = 'templates' and m.id = u.id
            left join public.imported_names n on n.id = u.id
    )
    select jsonb_object_agg(k.kind, k.rows) from (
        select d.kind, jsonb_object_agg(d.id, d.described) as rows from described d group by d.kind
    ) k
$$;

-- Notes what came of the items of an import. note_outcomes cannot: model and limits are those of each record, not of a batch.
-- Without loops within loops: nobody has counted these rows yet, and planned for a few of them, the join takes minutes.
create function public.note_imported_outcomes(target_import_id uuid, target_batch_id uuid, owner uuid, closed_by timestamptz)
returns void
language plpgsql set search_path = '' set enable_nestloop = off
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('brightrun.note_outcomes', 0));
    insert into public.outcome_combinations (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, conversation_category,
        prompt_chars
    )
    select distinct owner, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.item ->> 'model',
        (r.item ->> 'max_tokens')::integer, coalesce(e.conversation_category, 'not given'), 0
    from public.import_rows r left join public.emotional_arcs e on e.id = r.emotional_arc_id
    where r.import_id = target_import_id
    on conflict do nothing;
    insert into public.failure_kinds (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
    select distinct owner, r.item #>> '{failure,failure_type}', r.item ->> 'stop_reason', r.item #>> '{failure,pattern}',
        r.item #>> '{failure,fingerprint}'
    from public.import_rows r where r.import_id = target_import_id and jsonb_typeof(r.item -> 'failure') = 'object'
    on conflict do nothing;
    insert into public.item_outcomes (
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter, output_tokens, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, simulated
    )
    select r.item_id, owner, target_batch_id, c.id, k.id,
        floor(extract(epoch from coalesce((r.item ->> 'made_at')::timestamptz, closed_by)) / 900)::integer,
        (r.item ->> 'output_tokens')::integer,
        (r.item ->> 'output_tokens')::real / nullif((r.item ->> 'max_tokens')::integer, 0),
        case when jsonb_typeof(r.item -> 'failure') = 'object' then (r.item #>> '{failure,turn_index}')::smallint
            else (r.item ->> 'turns')::smallint end,
        0, 0, 0, 0, 0, false
    from public.import_rows r
        left join public.emotional_arcs e on e.id = r.emotional_arc_id
        join public.outcome_combinations c
            on c.created_by = owner and c.persona_id = r.persona_id and c.emotional_arc_id = r.emotional_arc_id
            and c.training_topic_id = r.training_topic_id and c.template_id = r.template_id and c.model = r.item ->> 'model'
            and c.max_tokens is not distinct from (r.item ->> 'max_tokens')::integer and c.effort is null
            and c.structured_outputs is null
            and c.conversation_category = coalesce(e.conversation_category, 'not given') and c.prompt_chars = 0
        left join public.failure_kinds k
            on k.created_by = owner and k.failure_type = r.item #>> '{failure,failure_type}'
            and k.stop_reason is not distinct from r.item ->> 'stop_reason'
            and k.truncation_pattern is not distinct from r.item #>> '{failure,pattern}'
            and k.fingerprint is not distinct from r.item #>> '{failure,fingerprint}'
    where r.import_id = target_import_id;
end
$$;

-- Makes a batch of everything that was staged, and forgets the stage. The limit of time is for hosted Supabase, which ends an
-- analyst's call after seconds. Asking again, while it runs or later, returns the same batch. Returns {"outcome": "finished", "batch_id"}, {"outcome": "known", "known"} where the same file was
-- imported meanwhile, or {"outcome": "rejected" | "not_found", "reason"}.
create function public.finish_import(target_import_id uuid) returns jsonb
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
        case when failed = planned then 'No conversation passed.' end, true,
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

revoke execute on function
    public.check_item_scaffolding(), public.begin_import(jsonb), public.stage_import(uuid, jsonb), public.finish_import(uuid),
    public.resolve_import_names(uuid, uuid), public.snapshot_import(uuid),
    public.note_imported_outcomes(uuid, uuid, uuid, timestamptz)
    from public, anon, authenticated;
grant execute on function public.begin_import(jsonb), public.stage_import(uuid, jsonb), public.finish_import(uuid)
    to authenticated;

-- What follows is as before, but for imported items: they cannot be generated again, and are in no total of what was generated.

create function public.refuse_imported_batch() returns jsonb
language sql immutable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'This batch was imported: it has no prompts, so nothing of it can be generated again. '
        'Generate the same combinations as a new batch.')
$$;
revoke execute on function public.refuse_imported_batch() from public, anon, authenticated;

create or replace function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
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

-- What was imported lately is not old, whenever it was made.
create or replace function public.list_old_failures(older_than timestamptz, max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(old)), '[]') from (
        select f.id, f.raw_file_path from public.failed_generations f
        where f.created_at < older_than and (not f.imported or exists (
            select 1 from public.batches b where b.id = f.run_id and b.created_at < older_than
        ))
        order by f.created_at limit max_rows
    ) old
$$;

drop index public.idx_batch_items_judged;
create index idx_batch_items_judged on public.batch_items (created_by, finished_at) include (status)
    where status in ('completed', 'failed') and not imported;
drop index public.idx_failed_generations_first_seen;
create index idx_failed_generations_first_seen on public.failed_generations (created_by, truncation_pattern, created_at)
    where truncation_pattern is not null and not imported;

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
        from public.conversations c where c.created_by = (select auth.uid()) group by 1, 2, 3
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
                select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
                from public.personas p where p.is_active
            ), '[]'),
            'arcs', coalesce((
                select jsonb_agg(jsonb_build_object('id', e.id, 'name', e.name, 'conversation_category', e.conversation_category)
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

create or replace function public.count_scaffolding_uses(kind text) returns table (id uuid, accepted integer, failed integer)
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

create or replace view public.batch_progress with (security_invoker = true) as
select b.id, b.name, b.status, b.status_reason, b.conversation_category, b.model, b.max_tokens, b.effort,
    b.structured_outputs, b.concurrency, b.error_handling, b.raise_max_tokens, b.budget_usd, b.canary_items, b.retry_of,
    b.pace_limit, b.pace_reason, b.pace_changed_at,
    b.estimated_seconds, b.estimated_cost_usd, b.created_by,
    b.created_at, b.updated_at, b.started_at, b.completed_at,
    i.planned, i.accepted, i.failed, i.cancelled, i.running, i.queued,
    a.attempts, a.cost_usd, a.input_tokens, a.output_tokens, a.simulated, b.imported
from public.batches b
cross join lateral (
    select count(*)::integer as planned,
        count(*) filter (where bi.status = 'completed')::integer as accepted,
        count(*) filter (where bi.status = 'failed')::integer as failed,
        count(*) filter (where bi.status = 'cancelled')::integer as cancelled,
        count(*) filter (where bi.status = 'processing')::integer as running,
        count(*) filter (where bi.status = 'queued')::integer as queued
    from public.batch_items bi where bi.batch_id = b.id
) i
cross join lateral (
    select count(*)::integer as attempts, coalesce(sum(ga.cost_usd), 0) as cost_usd,
        coalesce(sum(ga.input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(ga.output_tokens), 0)::bigint as output_tokens, coalesce(bool_or(ga.simulated), false) as simulated
    from public.generation_attempts ga where ga.batch_id = b.id
) a;

-- The caller's names of a kind, as options to filter by.
create function public.list_imported_names(wanted_kind text) returns table (id uuid, name text)
language sql stable set search_path = ''
as $$
    select n.id, n.name || ' (imported)' from public.imported_names n
    where n.created_by = (select auth.uid()) and n.kind = wanted_kind order by lower(n.name) limit 1000
$$;

create or replace function public.list_result_options() returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'personas', coalesce((select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
            from (select s.id, s.name from public.personas s
                union all select * from public.list_imported_names('persona')) p), '[]'),
        'arcs', coalesce((select jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name) order by a.name)
            from (select s.id, s.name from public.emotional_arcs s
                union all select * from public.list_imported_names('arc')) a), '[]'),
        'topics', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name)
            from (select s.id, s.name from public.training_topics s
                union all select * from public.list_imported_names('topic')) t), '[]'),
        'templates', coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name)
            order by t.name) from (select s.id, s.name || ' v' || s.version as name from public.prompt_templates s
                union all select * from public.list_imported_names('template')) t), '[]'),
        'batches', coalesce((select jsonb_agg(jsonb_build_object('id', n.id, 'name', n.name)) from (
            select b.id, b.name from public.batches b where b.created_by = (select auth.uid())
            order by b.created_at desc limit 200) n), '[]'),
        'models', coalesce((select jsonb_agg(m.model order by m.model) from (
            select b.model from public.batches b where b.created_by = (select auth.uid()) and not b.imported
            union select c.model from public.outcome_combinations c where c.created_by = (select auth.uid())) m), '[]')
    )
$$;
revoke execute on function public.list_imported_names(text) from public, anon, authenticated;
grant execute on function public.list_imported_names(text) to authenticated, service_role;
