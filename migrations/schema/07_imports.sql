-- Imports: an existing data set, judged as `brightrun scan` judges it, beside what was generated here, so that it can
-- be diagnosed.
--
-- Records come in chunks into import_rows, which nobody reads; finish_import turns them into a batch in one
-- transaction. What was interrupted is never seen, and is swept when its owner imports again. An import makes judged
-- items and failures, never a conversation: the training data hold only what was generated and judged here. No call
-- is noted for it, so it has no part in spend, estimates or pace.
--
-- A record is checked when it is staged, by the only function that writes it, so that finishing cannot fail on it.
-- What it says of tokens and turns is believed, however odd; its names are kept as lines; what it does not say counts
-- nowhere.

-- The names that imported records give to a persona, arc, topic or template that is not in the scaffolding.
create table public.imported_names (
    id uuid primary key default gen_random_uuid(),
    created_by uuid not null references auth.users (id) on delete cascade,
    kind text not null check (kind in ('persona', 'arc', 'topic', 'template')),
    name text not null check (name <> '' and length(name) <= 200)
);
create unique index idx_imported_names_name on public.imported_names (created_by, kind, lower(name));
alter table public.imported_names enable row level security;
create policy "Users read the names they imported" on public.imported_names
    for select to authenticated using (created_by = (select auth.uid()));

-- Imports that are under way.
create table public.imports (
    id uuid primary key default gen_random_uuid(),
    created_by uuid not null references auth.users (id) on delete cascade,
    name text not null check (name <> ''),
    files jsonb not null,
    created_at timestamptz not null default now(),
    constraint imports_name_line check (public.is_line(name))
);
create index idx_imports_created_by on public.imports (created_by, created_at);
alter table public.imports enable row level security;

-- What an import has brought so far, record by record, with the ids found for its names.
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
alter table public.import_rows enable row level security;

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
alter table public.import_files enable row level security;
create policy "Users read the files they imported" on public.import_files
    for select to authenticated using (created_by = (select auth.uid()));

-- How much was sent for each import, staged or kept. Without a reference to the import, which goes when it is
-- finished; begin_import sweeps the sizes of what is gone.
create table public.import_sizes (
    import_id uuid primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    bytes bigint not null
);
comment on table public.import_sizes is
    'What each import was sent. Deleting the batch of an import gives its analyst the room back';
create index idx_import_sizes_created_by on public.import_sizes (created_by);
alter table public.import_sizes enable row level security;

-- Says whether a record is as an import sends it, with texts no longer than it writes them
-- (core/domain/datasets/importing.py).
create function public.is_import_item(item jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(jsonb_typeof(item) = 'object'
        and jsonb_typeof(item -> 'position') = 'number' and public.is_count(item -> 'position', 2147483647)
        and jsonb_typeof(item -> 'turns') = 'number' and public.is_count(item -> 'turns', 2147483647)
        and jsonb_typeof(item -> 'source') = 'object' and pg_column_size(item -> 'source') <= 20000
        and (
            select bool_and(jsonb_typeof(n.named) = 'object' and jsonb_typeof(n.named -> 'name') = 'string'
                and public.is_short(n.named -> 'name', 1000)
                and (n.named ->> 'id' is null or n.named ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))
            from unnest(array[item -> 'persona', item -> 'arc', item -> 'topic', item -> 'template']) n(named)
        )
        and jsonb_typeof(item -> 'model') = 'string' and public.is_short(item -> 'model', 100)
        and public.is_short(item -> 'stop_reason', 50)
        and public.is_count(item -> 'max_tokens', 2147483647) and public.is_count(item -> 'input_tokens', 2147483647)
        and public.is_count(item -> 'output_tokens', 2147483647)
        and (item ->> 'made_at' is null or item ->> 'made_at'
            ~ '^2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d(:\d\d)?)$')
        and case coalesce(jsonb_typeof(item -> 'failure'), 'null') when 'null' then true
            when 'object' then
                item #>> '{failure,failure_type}'
                    in ('truncation', 'parse_error', 'validation_error', 'api_error', 'refusal', 'corruption')
                and item #>> '{failure,confidence}' in ('high', 'medium', 'low')
                and public.is_short(item #> '{failure,pattern}', 50)
                and public.is_short(item #> '{failure,details}', 20000)
                and public.is_count(item #> '{failure,turn_index}', 2147483647)
                and jsonb_typeof(item #> '{failure,text}') = 'string' and public.is_short(item #> '{failure,text}', 2000000)
                and public.is_short(item #> '{failure,fingerprint}', 160)
            else false end, false)
$$;

-- The answer where an analyst's imports may not hold so many bytes more; null if they may.
create function public.refuse_import_size(owner uuid, bytes bigint) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'Your imports would hold more than 1 GB together. Ask whoever administers the database to delete imported batches '
        'that you do not need any more.')
    from (select coalesce(sum(s.bytes), 0) as taken from public.import_sizes s where s.created_by = owner) t
    where t.taken + bytes > public.most_of_an_analyst('bytes of imports')
$$;

-- Begins an import of files that are not known yet, and sweeps what was interrupted. Returns {"outcome": "begun" |
-- "known" | "rejected", "import_id", "known": [files imported before], "reason"}.
create function public.begin_import(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    owner uuid := auth.uid();
    files jsonb;
    size bigint;
    refusal jsonb;
    known jsonb;
    new_import_id uuid;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: an import belongs to a user.');
    end if;
    if jsonb_typeof(request -> 'files') is distinct from 'array'
        or jsonb_array_length(request -> 'files') not between 1 and 10000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'An import is of 1 to 10,000 files.');
    end if;
    if coalesce(jsonb_typeof(request -> 'name'), 'null') not in ('string', 'null') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Name: a text is asked for.');
    end if;
    if exists (
        select 1 from jsonb_array_elements(request -> 'files') g
        where coalesce(g ->> 'digest', '') !~ '^[0-9a-f]{64}$' or jsonb_typeof(g -> 'name') is distinct from 'string'
            or length(g ->> 'name') > 200
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Each file has a digest, its SHA-256, and a name of at most 200 characters.');
    end if;
    -- Interrupted long ago; nothing refers to it.
    delete from public.imports i where i.created_by = owner and i.created_at < now() - interval '1 day';
    delete from public.import_sizes s
    where s.created_by = owner and not exists (select 1 from public.imports i where i.id = s.import_id)
        and not exists (select 1 from public.import_files f where f.import_id = s.import_id);
    if (select count(*) from public.imports i where i.created_by = owner)
        >= public.most_of_an_analyst('imports that have not ended') then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'As many of your imports as may be have begun and not ended. What was interrupted is forgotten a day after it began.');
    end if;
    size := 1000 + octet_length((request -> 'files')::text);
    refusal := public.refuse_import_size(owner, size);
    if refusal is not null then
        return refusal;
    end if;
    select jsonb_agg(jsonb_build_object('digest', d.digest, 'name', d.name)) into files from (
        select distinct on (g ->> 'digest') g ->> 'digest' as digest, public.make_line(g ->> 'name', 200) as name
        from jsonb_array_elements(request -> 'files') g
    ) d;
    select coalesce(jsonb_agg(jsonb_build_object('digest', f.digest, 'batch_id', b.id, 'batch_name', b.name)), '[]') into known
    from public.import_files f join public.batches b on b.id = f.batch_id
    where f.created_by = owner and f.digest in (select g ->> 'digest' from jsonb_array_elements(files) g);
    if jsonb_array_length(known) = jsonb_array_length(files) then
        return jsonb_build_object('outcome', 'known', 'known', known);
    end if;
    insert into public.imports (created_by, name, files)
    select owner, public.make_line(request ->> 'name', 200), jsonb_agg(g)
    from jsonb_array_elements(files) g
    where g ->> 'digest' not in (select k ->> 'digest' from jsonb_array_elements(known) k)
    returning id into new_import_id;
    insert into public.import_sizes (import_id, created_by, bytes) values (new_import_id, owner, size);
    return jsonb_build_object('outcome', 'begun', 'import_id', new_import_id, 'known', known);
end
$$;

-- Takes a chunk of records: [{"position", ...}]. A position that comes again replaces its record unless that has
-- failed. Returns {"outcome": "staged" | "rejected" | "not_found", "reason"}.
create function public.stage_import(target_import_id uuid, items jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    -- More than a batch holds: of one file that is no data set, finish_import says so.
    most_rows constant integer := 101000;
    wrong text;
    size bigint;
    refusal jsonb;
begin
    if not exists (
        select 1 from public.imports i where i.id = target_import_id and i.created_by = auth.uid()
    ) then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if jsonb_typeof(items) is distinct from 'array' or jsonb_array_length(items) > 1000 or pg_column_size(items) > 40000000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Conversations come in lists of at most 1,000, of at most 40 MB.');
    end if;
    if (select count(*) from public.import_rows r where r.import_id = target_import_id) + jsonb_array_length(items) > most_rows then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'An import holds at most 100,000 conversations. Import the files in parts; nothing was kept.');
    end if;
    -- A conversation counts a thousand bytes more than its texts, as its rows and indexes take about that.
    size := octet_length(items::text) + 1000 * jsonb_array_length(items);
    refusal := public.refuse_import_size(auth.uid(), size);
    if refusal is not null then
        return refusal;
    end if;
    select coalesce(left(given ->> 'position', 20), 'without a position') into wrong from jsonb_array_elements(items) given
    where not public.is_import_item(given) limit 1;
    if found then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('A conversation (%s) is not as an import has them: its texts or numbers are missing, too long or of another kind.',
                wrong));
    end if;
    perform max((given ->> 'made_at')::timestamptz) from jsonb_array_elements(items) given;  -- The 30th of February is no time.
    insert into public.import_rows as kept (import_id, position, item)
    select target_import_id, (given ->> 'position')::integer, given || jsonb_build_object(
        'model', public.make_line(given ->> 'model', 100),
        'persona', jsonb_build_object('id', given #> '{persona,id}', 'name', public.make_line(given #>> '{persona,name}', 200)),
        'arc', jsonb_build_object('id', given #> '{arc,id}', 'name', public.make_line(given #>> '{arc,name}', 200)),
        'topic', jsonb_build_object('id', given #> '{topic,id}', 'name', public.make_line(given #>> '{topic,name}', 200)),
        'template', jsonb_build_object('id', given #> '{template,id}', 'name', public.make_line(given #>> '{template,name}', 200))
    )
    from jsonb_array_elements(items) given
    on conflict (import_id, position) do update set item = excluded.item
        where jsonb_typeof(kept.item -> 'failure') = 'null';
    insert into public.import_sizes as taken (import_id, created_by, bytes) values (target_import_id, auth.uid(), size)
    on conflict (import_id) do update set bytes = taken.bytes + excluded.bytes;
    return jsonb_build_object('outcome', 'staged');
exception
    when cardinality_violation then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A list has two pieces of the same conversation.');
    when data_exception then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'The time of a conversation is none, or a number or text of it cannot be kept.');
end
$$;

-- Gives every name that is not in the scaffolding an id, and every record its four ids.
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

-- What the batch of an import shows of its scaffolding: rows as they are now; of names that are not in the
-- scaffolding, the name.
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

-- Notes what came of the items of an import. note_outcomes cannot: model and limits are those of each record, not of
-- a batch. Turns and prompt lengths are as the record says, however odd, or unknown. Without nested loops: these rows
-- have no statistics yet, and a join planned for a few of them takes minutes.
create function public.note_imported_outcomes(target_import_id uuid, target_batch_id uuid, owner uuid, closed_by timestamptz)
returns void
language plpgsql set search_path = '' set enable_nestloop = off
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('brightrun.note_outcomes', 0));
    insert into public.outcome_combinations (
        created_by, persona_id, emotional_arc_id, training_topic_id, template_id, model, max_tokens, conversation_category
    )
    select distinct owner, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.item ->> 'model',
        (r.item ->> 'max_tokens')::integer, coalesce(e.conversation_category, 'not given')
    from public.import_rows r left join public.emotional_arcs e on e.id = r.emotional_arc_id
    where r.import_id = target_import_id
    on conflict do nothing;
    insert into public.failure_kinds (created_by, failure_type, stop_reason, truncation_pattern, fingerprint)
    select distinct owner, r.item #>> '{failure,failure_type}', r.item ->> 'stop_reason', r.item #>> '{failure,pattern}',
        r.item #>> '{failure,fingerprint}'
    from public.import_rows r where r.import_id = target_import_id and jsonb_typeof(r.item -> 'failure') = 'object'
    on conflict do nothing;
    insert into public.item_outcomes (
        batch_item_id, created_by, batch_id, combination_id, kind_id, quarter_hour, share_used, last_turn, attempts,
        duration_ms, wasted_ms, cost_usd, wasted_usd, simulated
    )
    select r.item_id, owner, target_batch_id, c.id, k.id,
        floor(extract(epoch from coalesce((r.item ->> 'made_at')::timestamptz, closed_by)) / 900)::integer,
        (r.item ->> 'output_tokens')::real / nullif((r.item ->> 'max_tokens')::integer, 0),
        case when jsonb_typeof(r.item -> 'failure') = 'object' then (r.item #>> '{failure,turn_index}')::integer
            else (r.item ->> 'turns')::integer end,
        0, 0, 0, 0, 0, false
    from public.import_rows r
        left join public.emotional_arcs e on e.id = r.emotional_arc_id
        join public.outcome_combinations c
            on c.created_by = owner and c.persona_id = r.persona_id and c.emotional_arc_id = r.emotional_arc_id
            and c.training_topic_id = r.training_topic_id and c.template_id = r.template_id and c.model = r.item ->> 'model'
            and c.max_tokens is not distinct from (r.item ->> 'max_tokens')::integer and c.effort is null
            and c.structured_outputs is null
            and c.conversation_category = coalesce(e.conversation_category, 'not given') and c.prompt_chars is null
        left join public.failure_kinds k
            on k.created_by = owner and k.failure_type = r.item #>> '{failure,failure_type}'
            and k.stop_reason is not distinct from r.item ->> 'stop_reason'
            and k.truncation_pattern is not distinct from r.item #>> '{failure,pattern}'
            and k.fingerprint is not distinct from r.item #>> '{failure,fingerprint}'
    where r.import_id = target_import_id;
end
$$;

-- Makes a batch of everything that was staged, and forgets the stage. The time limit is for hosted Supabase, which
-- ends an analyst's call after seconds. Asking again, while it runs or later, returns the same batch. Returns
-- {"outcome": "finished", "batch_id"}, {"outcome": "known", "known"} if the same file has been imported since, or
-- {"outcome": "rejected" | "not_found", "reason"}.
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
        case when failed = planned then 'No conversation was accepted.' end, true,
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

-- The caller's imported names of a kind, as options to filter by.
create function public.list_imported_names(wanted_kind text) returns table (id uuid, name text)
language sql stable set search_path = ''
as $$
    select n.id, n.name || ' (imported)' from public.imported_names n
    where n.created_by = (select auth.uid()) and n.kind = wanted_kind order by lower(n.name) limit 1000
$$;
