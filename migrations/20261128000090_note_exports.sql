-- Exports of versions are noted, a data set is described in one count of its plan, and conversations are drawn by chance.

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
create or replace function public.list_datasets(
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
create or replace function public.describe_dataset(target_dataset_id uuid, counts_simulated boolean) returns jsonb
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

-- The ids of as many conversations as `sample_size` says, drawn by chance from all of the data set or batch that the
-- filters name (without one, from all), whatever the other filters say: the same `sample_seed` draws the same ones.
create function public.draw_conversations(filters jsonb) returns setof uuid
language sql stable rows 100 set search_path = ''
as $$
    select c.id from public.conversations c
    where public.require_filters(filters)
        and (filters ->> 'batch_id' is null or c.batch_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'dataset_id' is null
            or c.batch_id in (select b.id from public.batches b where b.dataset_id = (filters ->> 'dataset_id')::uuid))
    order by md5(c.id::text || (filters ->> 'sample_seed')), c.id
    limit least(greatest((filters ->> 'sample_size')::integer, 1), 1000)
$$;

-- The caller's conversations that match. `filters` holds any of batch_id, persona_id, emotional_arc_id,
-- training_topic_id, category, tier, model, review_status, minimum_quality, sample_size with sample_seed (as
-- draw_conversations reads them) and text (words, or their beginnings). What comparisons made is left out, unless a batch
-- is named or `with_comparisons` is true.
-- Without a SET clause and with the caller's rights, so that the planner inlines it.
create or replace function public.matching_conversations(filters jsonb) returns setof public.conversations
language sql stable
as $$
    select c.* from public.conversations c
    where public.require_filters(filters)
        and (filters ->> 'batch_id' is null or c.batch_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'dataset_id' is null
            or c.batch_id in (select b.id from public.batches b where b.dataset_id = (filters ->> 'dataset_id')::uuid))
        and (filters ->> 'persona_id' is null or c.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or c.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or c.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'category' is null or c.conversation_category = filters ->> 'category')
        and (filters ->> 'tier' is null or c.tier = filters ->> 'tier')
        and (filters ->> 'model' is null or c.model = filters ->> 'model')
        and (filters ->> 'review_status' is null or c.review_status = filters ->> 'review_status')
        and (filters ->> 'batch_id' is not null or filters ->> 'with_comparisons' = 'true'
            or not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id))
        and (filters ->> 'minimum_quality' is null or c.quality_score >= (filters ->> 'minimum_quality')::numeric)
        and (filters ->> 'sample_size' is null or c.id in (select s.id from public.draw_conversations(filters) as s(id)))
        and (filters ->> 'text' is null
            or c.id in (select m.id from public.find_conversations_by_words(filters ->> 'text') as m(id)))
$$;

revoke all on public.dataset_exports from anon, authenticated;
grant select on public.dataset_exports to authenticated;
grant all on public.dataset_exports to service_role;

revoke execute on function
    public.draw_conversations(jsonb), public.note_dataset_export(uuid, text, text[], text), public.read_dataset_head(uuid)
    from public, anon, authenticated;
grant execute on function
    public.draw_conversations(jsonb), public.note_dataset_export(uuid, text, text[], text), public.read_dataset_head(uuid)
    to authenticated, service_role;
