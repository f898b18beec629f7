-- Data sets: what an analyst wants (a plan of combinations and how many conversations of each), the batches that serve
-- it, and frozen versions. What is missing is counted from the items of these batches, never kept.

create table public.datasets (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    counted text not null check (counted in ('accepted', 'approved')),
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    constraint datasets_name_line check (public.is_line(name)),
    constraint datasets_name_taken unique (created_by, name)
);
comment on table public.datasets is 'A data set: a plan (dataset_cells), the batches that serve it (batches.dataset_id) and its frozen versions';
comment on column public.datasets.counted is 'Which conversations fill the plan: accepted ones, or only those that a reviewer approved';
comment on constraint datasets_counted_check on public.datasets is 'A plan counts accepted or approved conversations.';
comment on constraint datasets_name_taken on public.datasets is 'You have a data set of this name. Choose another one.';
alter table public.datasets enable row level security;
create policy "Users read their data sets" on public.datasets
    for select to authenticated using (created_by = (select auth.uid()));

create table public.dataset_cells (
    dataset_id uuid not null references public.datasets (id) on delete cascade,
    persona_id uuid not null references public.personas (id),
    emotional_arc_id uuid not null references public.emotional_arcs (id),
    training_topic_id uuid not null references public.training_topics (id),
    wanted integer not null check (wanted between 1 and 1000),
    primary key (dataset_id, persona_id, emotional_arc_id, training_topic_id)
);
comment on table public.dataset_cells is 'The plan of a data set: so many conversations of each combination';
comment on constraint dataset_cells_wanted_check on public.dataset_cells is 'Conversations of a combination: 1 to 1,000.';
-- For the foreign keys alone.
create index idx_dataset_cells_persona on public.dataset_cells (persona_id);
create index idx_dataset_cells_arc on public.dataset_cells (emotional_arc_id);
create index idx_dataset_cells_topic on public.dataset_cells (training_topic_id);
alter table public.dataset_cells enable row level security;
create policy "Users read the plans of their data sets" on public.dataset_cells
    for select to authenticated using (dataset_id in (select d.id from public.datasets d where d.created_by = (select auth.uid())));

alter table public.batches add constraint batches_dataset_id_fkey
    foreign key (dataset_id) references public.datasets (id) on delete set null;
create index idx_batches_dataset on public.batches (dataset_id) where dataset_id is not null;

create table public.dataset_versions (
    id uuid primary key default gen_random_uuid(),
    dataset_id uuid not null references public.datasets (id) on delete cascade,
    number integer check (number >= 1),
    conversations integer not null default 0,
    fingerprint text check (fingerprint ~ '^[0-9a-f]{64}$'),
    summary jsonb not null default '{}',
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    frozen_at timestamptz,
    constraint dataset_versions_number_taken unique (dataset_id, number),
    constraint dataset_versions_frozen_check
        check ((frozen_at is null) = (number is null) and (frozen_at is null) = (fingerprint is null))
);
comment on table public.dataset_versions is 'A frozen version of a data set; one without a number is being written, and nobody reads it';
comment on column public.dataset_versions.summary is 'What freeze_dataset_version was told: rule, counts by cell, exclusions by reason';
create index idx_dataset_versions_created_by on public.dataset_versions (created_by);
alter table public.dataset_versions enable row level security;
create policy "Users read their versions" on public.dataset_versions
    for select to authenticated using (created_by = (select auth.uid()));

create table public.dataset_version_rows (
    version_id uuid not null references public.dataset_versions (id) on delete cascade,
    position integer not null check (position >= 0),
    conversation_id uuid not null,
    content jsonb not null,
    primary key (version_id, position),
    constraint dataset_version_rows_once unique (version_id, conversation_id)
);
comment on table public.dataset_version_rows is 'The conversations of a version as they were when it was frozen, whatever becomes of them later';
alter table public.dataset_version_rows enable row level security;
create policy "Users read the conversations of their versions" on public.dataset_version_rows
    for select to authenticated
    using (version_id in (select v.id from public.dataset_versions v where v.created_by = (select auth.uid())));

create table public.dataset_exports (
    id uuid primary key default gen_random_uuid(),
    dataset_id uuid not null,
    version integer not null,
    target text not null check (target in ('folder', 'download', 'hub')),
    formats text[] not null,
    repository text,
    exported_at timestamptz not null default now(),
    constraint dataset_exports_of_version foreign key (dataset_id, version)
        references public.dataset_versions (dataset_id, number) on delete cascade
);
comment on table public.dataset_exports is 'The latest exports of the versions of a data set: where to, and in which formats';
comment on column public.dataset_exports.repository is 'On the Hub';
create index idx_dataset_exports_version on public.dataset_exports (dataset_id, version, exported_at desc);
alter table public.dataset_exports enable row level security;
create policy "Users read the exports of their data sets" on public.dataset_exports
    for select to authenticated using (dataset_id in (select d.id from public.datasets d where d.created_by = (select auth.uid())));

-- A frozen version stays as it is: it and its rows go only with their data set.
create function public.keep_frozen_version() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if tg_table_name = 'dataset_versions' then
        if old.frozen_at is null then
            return case when tg_op = 'DELETE' then old else new end;
        end if;
        if tg_op = 'DELETE' and not exists (select 1 from public.datasets d where d.id = old.dataset_id) then
            return old;
        end if;
    else
        if not exists (select 1 from public.dataset_versions v where v.id = old.version_id and v.frozen_at is not null) then
            return case when tg_op = 'DELETE' then old else new end;
        end if;
    end if;
    raise exception 'A frozen version never changes.';
end
$$;
create trigger keep_frozen_version before update or delete on public.dataset_versions
    for each row execute function public.keep_frozen_version();
create trigger keep_frozen_rows before update or delete on public.dataset_version_rows
    for each row execute function public.keep_frozen_version();

-- What came of each combination of a plan in the batches of its data set. A conversation that a reviewer rejected or
-- archived counts for nothing; simulated ones count where `counts_simulated` says so. `to_generate` is what neither
-- counts, waits for review nor is being generated. Items and conversations are counted apart: joined one by one, 100,000
-- items take twice as long.
create function public.count_dataset_cells(target_dataset_id uuid, counts_simulated boolean)
returns table (
    persona_id uuid, emotional_arc_id uuid, training_topic_id uuid, wanted integer, accepted integer, approved integer,
    rejected integer, failed integer, open integer, made integer, to_generate integer
)
language sql stable rows 1000 set search_path = ''
as $$
    with made as materialized (
        select i.persona_id, i.emotional_arc_id, i.training_topic_id,
            count(*) filter (where i.status = 'failed') as failed,
            count(*) filter (where i.status in ('queued', 'processing')) as open,
            count(*) as made
        from public.batch_items i
        where i.batch_id in (select b.id from public.batches b where b.dataset_id = target_dataset_id)
        group by 1, 2, 3
    ), kept as materialized (
        select c.persona_id, c.emotional_arc_id, c.training_topic_id,
            count(*) filter (where c.review_status in ('pending_review', 'approved') and (counts_simulated or not c.simulated))
                as accepted,
            count(*) filter (where c.review_status = 'approved' and (counts_simulated or not c.simulated)) as approved,
            count(*) filter (where c.review_status = 'rejected') as rejected
        from public.conversations c
        where c.batch_id in (select b.id from public.batches b where b.dataset_id = target_dataset_id)
        group by 1, 2, 3
    )
    select cell.persona_id, cell.emotional_arc_id, cell.training_topic_id, cell.wanted,
        coalesce(k.accepted, 0)::integer, coalesce(k.approved, 0)::integer, coalesce(k.rejected, 0)::integer,
        coalesce(m.failed, 0)::integer, coalesce(m.open, 0)::integer, coalesce(m.made, 0)::integer,
        greatest(cell.wanted - coalesce(k.accepted, 0) - coalesce(m.open, 0), 0)::integer
    from public.dataset_cells cell
    left join made m using (persona_id, emotional_arc_id, training_topic_id)
    left join kept k using (persona_id, emotional_arc_id, training_topic_id)
    where cell.dataset_id = target_dataset_id
$$;

-- A part of a plan, as create_dataset is sent it.
create type public.plan_part as (
    conversation_category text, persona_ids uuid[], arc_ids uuid[], topic_ids uuid[], per_combination integer
);

-- Makes a data set of the caller. `request`: {"name", "counted", "plan": [{"conversation_category", "persona_ids",
-- "arc_ids", "topic_ids", "per_combination"}]}; where parts of the plan overlap, the larger number counts. Returns
-- {"outcome": "created" | "rejected", "dataset_id", "planned", "reason"}.
create function public.create_dataset(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    most constant integer := 100000;
    owner uuid := auth.uid();
    part jsonb;
    cells bigint := 0;
    missing text;
    new_dataset_id uuid;
    at_table text;
    at_column text;
    violated text;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: a data set belongs to a user.');
    end if;
    perform public.require_object(request);
    if jsonb_typeof(request -> 'plan') is distinct from 'array' or jsonb_array_length(request -> 'plan') not between 1 and 1000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A plan has 1 to 1,000 parts.');
    end if;
    if jsonb_typeof(request -> 'name') is distinct from 'string' or jsonb_typeof(request -> 'counted') is distinct from 'string' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A data set has a name, and says whether accepted or approved conversations count.');
    end if;
    if (select count(*) from public.datasets d where d.created_by = owner) >= public.most_of_an_analyst('data sets') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'You have as many data sets as may be. Delete one first.');
    end if;
    for part in select p.value from jsonb_array_elements(request -> 'plan') p loop
        perform public.require_shape(part, 'public.plan_part');
        cells := cells + cardinality(public.read_ids(part -> 'persona_ids', 'personas'))::bigint
            * cardinality(public.read_ids(part -> 'arc_ids', 'arcs')) * cardinality(public.read_ids(part -> 'topic_ids', 'topics'));
        if cells > most then
            return jsonb_build_object('outcome', 'rejected', 'reason', format(
                'A plan has at most %s combinations; this one has more. Choose fewer personas, arcs or topics.', most));
        end if;
        select a.name into missing from public.emotional_arcs a
        where a.id = any (public.read_ids(part -> 'arc_ids', 'arcs'))
            and a.conversation_category is distinct from part ->> 'conversation_category' limit 1;
        if found then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                format('The arc "%s" is of the other category.', missing));
        end if;
    end loop;

    insert into public.datasets (name, counted, created_by) values (request ->> 'name', request ->> 'counted', owner)
    returning id into new_dataset_id;
    insert into public.dataset_cells (dataset_id, persona_id, emotional_arc_id, training_topic_id, wanted)
    select new_dataset_id, persona.id, arc.id, topic.id, max((p.value ->> 'per_combination')::integer)
    from jsonb_array_elements(request -> 'plan') p
    cross join lateral unnest(public.read_ids(p.value -> 'persona_ids', 'personas')) persona(id)
    cross join lateral unnest(public.read_ids(p.value -> 'arc_ids', 'arcs')) arc(id)
    cross join lateral unnest(public.read_ids(p.value -> 'topic_ids', 'topics')) topic(id)
    group by 1, 2, 3, 4;
    return jsonb_build_object('outcome', 'created', 'dataset_id', new_dataset_id, 'planned',
        (select sum(c.wanted) from public.dataset_cells c where c.dataset_id = new_dataset_id));
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- A data set of the caller without its plan, with what its newest version kept out as duplicates and its latest export;
-- null where there is none, or it is someone else's.
create function public.read_dataset_head(target_dataset_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(d) - 'created_by' || jsonb_build_object(
        'version', newest.number,
        'duplicates', coalesce(newest.summary #> '{exclusions,duplicate}', '0'),
        'latest_export', (select to_jsonb(e) - 'id' - 'dataset_id' from public.dataset_exports e where e.dataset_id = d.id
            order by e.exported_at desc, e.id limit 1)
    )
    from public.datasets d
    left join lateral (
        select v.number, v.summary from public.dataset_versions v
        where v.dataset_id = d.id and v.number is not null order by v.number desc limit 1
    ) newest on true
    where d.id = target_dataset_id and d.created_by = (select auth.uid())
$$;

-- The caller's data sets (the one of this name or id, or the newest so many), newest first, each with the sums of its plan.
create function public.list_datasets(
    counts_simulated boolean, wanted_name text default null, wanted_id uuid default null, most integer default null
) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(public.read_dataset_head(d.id) || to_jsonb(sums) order by d.created_at desc, d.id), '[]')
    from (
        select own.* from public.datasets own
        where own.created_by = (select auth.uid()) and (wanted_name is null or own.name = wanted_name)
            and (wanted_id is null or own.id = wanted_id)
        order by own.created_at desc, own.id limit most
    ) d
    cross join lateral (
        select count(*) as combinations, coalesce(sum(c.wanted), 0) as planned, coalesce(sum(c.accepted), 0) as accepted,
            coalesce(sum(c.approved), 0) as approved, coalesce(sum(c.rejected), 0) as rejected,
            coalesce(sum(c.failed), 0) as failed, coalesce(sum(c.open), 0) as open,
            coalesce(sum(c.to_generate), 0) as to_generate,
            coalesce(sum(greatest(c.wanted - case d.counted when 'approved' then c.approved else c.accepted end, 0)), 0) as missing
        from public.count_dataset_cells(d.id, counts_simulated) c
    ) sums
$$;

-- A data set of the caller with its plan and what came of it: what read_dataset_head says, {"cells": [...]}, and the batches
-- and frozen versions that belong to it, newest first; null where there is none, or it is someone else's. Which
-- conversation was kept out of a version for which reason stays in dataset_versions.summary: it is long.
create function public.describe_dataset(target_dataset_id uuid, counts_simulated boolean) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'head', public.read_dataset_head(d.id),
        'cells', (select coalesce(jsonb_agg(to_jsonb(c) || jsonb_build_object('category', a.conversation_category,
                'persona', p.name, 'persona_key', p.persona_key, 'arc', a.name, 'arc_key', a.arc_key, 'topic', t.name)
            order by a.conversation_category, p.persona_key, a.arc_key, t.topic_key), '[]')
            from public.count_dataset_cells(d.id, counts_simulated) c
            join public.personas p on p.id = c.persona_id
            join public.emotional_arcs a on a.id = c.emotional_arc_id
            join public.training_topics t on t.id = c.training_topic_id),
        'batches', (select coalesce(jsonb_agg(jsonb_build_object('id', b.id, 'name', b.name, 'status', b.status,
            'created_at', b.created_at) order by b.created_at desc), '[]') from public.batches b where b.dataset_id = d.id),
        'versions', (select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'number', v.number,
            'conversations', v.conversations, 'fingerprint', v.fingerprint, 'frozen_at', v.frozen_at,
            'summary', v.summary - 'excluded', 'exported_at', (select max(e.exported_at) from public.dataset_exports e
                where e.dataset_id = d.id and e.version = v.number))
            order by v.number desc), '[]') from public.dataset_versions v where v.dataset_id = d.id and v.number is not null)
    )
    from public.datasets d
    where d.id = target_dataset_id and d.created_by = (select auth.uid())
$$;

-- A conversation as a version keeps it: what is said, and where it comes from, by key.
create function public.describe_version_row(c public.conversations) returns jsonb
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

-- A page of the conversations of a data set's batches, oldest first, after the one that the cursor names. `revision`
-- changes with the text, so that what was judged is what is frozen.
create function public.list_dataset_conversations(
    target_dataset_id uuid, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    ids uuid[] := array(select c.id from public.batches b join public.conversations c on c.batch_id = b.id
        where b.dataset_id = target_dataset_id and b.created_by = auth.uid() and (cursor_id is null or (c.created_at, c.id) > (cursor_created_at, cursor_id))
        order by c.created_at, c.id limit least(greatest(page_size, 1), 500));
begin
    return (select coalesce(jsonb_agg(public.describe_version_row(c) || jsonb_build_object(
        'review_status', c.review_status, 'created_at', c.created_at, 'revision', md5(c.turns::text),
        'was_read', c.read_at is not null,
        'was_edited', exists (select 1 from public.conversation_edits e where e.conversation_id = c.id)
    ) order by c.created_at, c.id), '[]') from public.conversations c where c.id = any (ids));
end
$$;

-- Deletes a data set of the caller with its plan and frozen versions; batches and conversations stay. Returns {"outcome":
-- "done" | "not_found"}.
create function public.delete_dataset(target_dataset_id uuid) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
begin
    delete from public.datasets d where d.id = target_dataset_id and d.created_by = auth.uid();
    return jsonb_build_object('outcome', case when found then 'done' else 'not_found' end);
end
$$;

-- Begins a version of a data set of the caller; what was begun an hour ago and not frozen is forgotten. Returns
-- {"outcome": "begun" | "not_found", "version_id"}.
create function public.begin_dataset_version(target_dataset_id uuid) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    new_version_id uuid;
begin
    delete from public.dataset_versions v
    where v.created_by = auth.uid() and v.frozen_at is null and v.created_at < now() - interval '1 hour';
    insert into public.dataset_versions (dataset_id, created_by)
    select d.id, d.created_by from public.datasets d where d.id = target_dataset_id and d.created_by = auth.uid()
    returning id into new_version_id;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    return jsonb_build_object('outcome', 'begun', 'version_id', new_version_id);
end
$$;

-- Puts conversations into a version that is not frozen yet, as they are now. `members`: [{"position", "id",
-- "revision"}]. Returns {"outcome": "done" | "changed" | "rejected"}; 'changed' if one of them is no longer what it was
-- when it was judged, and then none is put in.
create function public.stage_dataset_rows(target_version_id uuid, members jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    target public.dataset_versions;
    staged integer;
begin
    select v.* into target from public.dataset_versions v
    where v.id = target_version_id and v.created_by = auth.uid() and v.frozen_at is null for update;
    if not found or jsonb_typeof(members) is distinct from 'array' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'This version is not being written. Freeze the data set again.');
    end if;
    if jsonb_array_length(members) > 1000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'At most 1,000 conversations are sent in one call.');
    end if;
    insert into public.dataset_version_rows (version_id, position, conversation_id, content)
    select target.id, m.position, c.id, public.describe_version_row(c)
    from jsonb_to_recordset(members) m(position integer, id uuid, revision text)
    join public.conversations c on c.id = m.id and md5(c.turns::text) = m.revision
    join public.batches b on b.id = c.batch_id and b.dataset_id = target.dataset_id;
    get diagnostics staged = row_count;
    if staged <> jsonb_array_length(members) then
        delete from public.dataset_version_rows r where r.version_id = target.id
            and r.position in (select (m.value ->> 'position')::integer from jsonb_array_elements(members) m);
        return jsonb_build_object('outcome', 'changed');
    end if;
    return jsonb_build_object('outcome', 'done');
end
$$;

-- Freezes a version: gives it the next number of its data set. From here on it never changes. Returns {"outcome":
-- "frozen" | "rejected", "number", "reason"}.
create function public.freeze_dataset_version(target_version_id uuid, fingerprint text, summary jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    target public.dataset_versions;
    members integer;
    next_number integer;
begin
    perform public.require_object(summary);
    select v.* into target from public.dataset_versions v
    where v.id = target_version_id and v.created_by = auth.uid() and v.frozen_at is null for update;
    if not found then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'This version is not being written. Freeze the data set again.');
    end if;
    if fingerprint is null or fingerprint !~ '^[0-9a-f]{64}$' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A fingerprint is a SHA-256 in hexadecimal digits.');
    end if;
    -- Two who freeze at once take turns here, and get two numbers.
    perform 1 from public.datasets d where d.id = target.dataset_id for update;
    select count(*) into members from public.dataset_version_rows r where r.version_id = target.id;
    if members = 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'There is no conversation to freeze.');
    end if;
    select coalesce(max(v.number), 0) + 1 into next_number from public.dataset_versions v where v.dataset_id = target.dataset_id;
    update public.dataset_versions v
    set number = next_number, conversations = members, fingerprint = freeze_dataset_version.fingerprint,
        summary = freeze_dataset_version.summary, frozen_at = now()
    where v.id = target.id;
    return jsonb_build_object('outcome', 'frozen', 'number', next_number);
end
$$;

-- Notes that a version of the caller was exported: to a folder, by a download or to a repository on the Hub. The latest 100
-- of a data set are kept. Returns {"outcome": "done" | "not_found" | "rejected", "reason"}.
create function public.note_dataset_export(
    target_version_id uuid, new_target text, new_formats text[], new_repository text default null
) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    most constant integer := 100;
    exported public.dataset_versions;
begin
    if new_target is null or new_target not in ('folder', 'download', 'hub') or new_formats is null
        or cardinality(new_formats) not between 1 and 10
        or exists (select 1 from unnest(new_formats) f(format) where f.format is null or not public.is_line(f.format))
        or not public.is_line(coalesce(new_repository, 'none'))
    then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'An export goes to a folder, a download or the hub, in 1 to 10 formats; names are one line of at most 200 characters.');
    end if;
    select v.* into exported from public.dataset_versions v
    where v.id = target_version_id and v.created_by = auth.uid() and v.number is not null;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    insert into public.dataset_exports (dataset_id, version, target, formats, repository)
    values (exported.dataset_id, exported.number, new_target, new_formats, new_repository);
    delete from public.dataset_exports e where e.id in (
        select old.id from public.dataset_exports old where old.dataset_id = exported.dataset_id
        order by old.exported_at desc, old.id offset most);
    return jsonb_build_object('outcome', 'done');
end
$$;

-- A page of the conversations of a version, in their order, from a position on.
create function public.read_version_rows(target_version_id uuid, from_position integer, page_size integer) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(page.content || jsonb_build_object('position', page.position) order by page.position), '[]')
    from (
        select r.position, r.content from public.dataset_version_rows r
        where r.version_id = target_version_id and r.position >= from_position
        order by r.position limit least(greatest(page_size, 1), 500)
    ) page
$$;
