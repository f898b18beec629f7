-- Replies that were accepted are kept for a set time, since their conversations hold the same; what takes how much room
-- is measured; and where replies wait on a worker's disk outlives that worker.
comment on table public.generation_attempts is
    'One row for each call to Claude, good or bad; never updated, but that the body of an accepted reply is forgotten in time';
comment on column public.generation_attempts.response_body is
    'The raw HTTP body, base64 where it is not UTF-8 text; that of an accepted reply is kept for a set time (drop_old_replies)';
create index idx_generation_attempts_kept_replies on public.generation_attempts (created_at)
    where outcome = 'accepted' and response_body is not null;

alter table public.alerts drop constraint alerts_rule_check;
alter table public.alerts add constraint alerts_rule_check
    check (rule in ('failure_rate', 'drift', 'new_pattern', 'storage', 'refused_jobs', 'stuck_results', 'silent_host'));

create table public.spools (
    id uuid primary key,
    host text not null check (host ~ '^[A-Za-z0-9_.?-]{1,60}$'),
    files integer not null check (files >= 1),
    oldest_at timestamptz not null,
    heard_at timestamptz not null default now()
);
comment on table public.spools is 'Folders on workers'' disks in which replies wait; a worker there says so every few seconds';
comment on column public.spools.id is 'In the folder itself: a host may have another name tomorrow, and several such folders';
alter table public.spools enable row level security;

-- What takes how much room, of all analysts: {"bytes", "files" (of reports, as measure_storage), "replies_since",
-- "parts": {part: bytes}}. Sizes are those of files, whatever is in them. Whose the stored replies are is estimated from
-- about four hundred pages of attempts, drawn by chance; what deleted ones left is filled by the next.
create function public.measure_room() returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
    storage jsonb := public.measure_storage();
    tables jsonb;
    percent double precision;
    bodies double precision;
    accepted double precision;
    others double precision;
begin
    select jsonb_object_agg(c.relname, pg_table_size(c.oid)) into tables
    from pg_catalog.pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r';
    percent := least(100, 400 * 8192 * 100.0 / greatest(pg_relation_size('public.generation_attempts'), 1));
    bodies := greatest((tables ->> 'generation_attempts')::bigint - pg_relation_size('public.generation_attempts'), 0);
    select coalesce(sum(pg_column_size(a.response_body)) filter (where a.outcome = 'accepted'), 0) * 105 / percent,
        coalesce(sum(pg_column_size(a.response_body)) filter (where a.outcome <> 'accepted'), 0) * 105 / percent
    into accepted, others from public.generation_attempts a tablesample system (percent);
    accepted := least(accepted, bodies);
    others := least(others, bodies - accepted);
    return storage || jsonb_build_object(
        'replies_since', (
            select min(a.created_at) from public.generation_attempts a
            where a.outcome = 'accepted' and a.response_body is not null
        ),
        'parts', (
            select jsonb_object_agg(s.part, s.bytes) from (
                select case
                    when t.key in ('conversations', 'conversation_edits') then 'conversations'
                    when t.key = 'failed_generations' then 'failures'
                    when t.key in ('item_outcomes', 'outcome_combinations', 'failure_kinds') then 'outcomes'
                    when t.key in ('imports', 'import_rows', 'import_files', 'import_sizes', 'imported_names') then 'imports'
                    when t.key in ('batches', 'batch_items', 'generation_attempts', 'batch_totals', 'batch_workers') then 'batches'
                    else 'rest' end as part,
                    sum(t.value::bigint) - case when bool_or(t.key = 'generation_attempts') then bodies::bigint else 0 end as bytes
                from jsonb_each_text(tables) t group by 1
                union all values ('accepted_replies', accepted::bigint), ('other_replies', others::bigint),
                    ('free', (bodies - accepted - others)::bigint), ('reports', (storage ->> 'bytes')::bigint)
                union all
                select 'indexes', sum(pg_indexes_size(c.oid)) from pg_catalog.pg_class c
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
            ) s
        )
    );
end
$$;

-- Forgets the body of at most `most` accepted attempts that are older than `keep_days`, oldest first, and says of how
-- many: their conversations hold the same. Rows that somebody else works on are left for the next time.
create function public.drop_old_replies(keep_days integer, most integer) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    dropped integer;
begin
    with due as (
        select a.id from public.generation_attempts a
        where a.outcome = 'accepted' and a.response_body is not null
            and a.created_at < now() - make_interval(days => keep_days)
            and exists (select 1 from public.conversations c where c.attempt_id = a.id)
        order by a.created_at limit least(greatest(most, 0), 1000)
        for update of a skip locked
    )
    update public.generation_attempts a set response_body = null from due d where a.id = d.id;
    get diagnostics dropped = row_count;
    return dropped;
end
$$;

-- Notes how many files wait in a folder on a worker's disk, and how old the oldest is; none: the note goes.
create function public.note_spool(spool_id uuid, host text, files integer, oldest_seconds double precision) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if note_spool.files <= 0 then
        delete from public.spools s where s.id = spool_id;
        return;
    end if;
    insert into public.spools as kept (id, host, files, oldest_at)
    values (spool_id, note_spool.host, note_spool.files, now() - make_interval(secs => greatest(oldest_seconds, 0)))
    on conflict (id) do update
    set host = excluded.host, files = excluded.files, oldest_at = excluded.oldest_at, heard_at = now();
end
$$;

-- Forgets a folder whose host has not been heard of for 15 minutes. False: there is none such; if the host comes back it
-- notes the folder again.
create function public.dismiss_spool(spool_id uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.spools s where s.id = spool_id and s.heard_at < now() - interval '15 minutes';
    return found;
end
$$;

-- Where replies wait on disk, those first that were not heard of for longest.
create function public.list_spools() returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(s) order by s.heard_at), '[]')
    from (select * from public.spools order by heard_at limit 50) s
$$;

-- What the rules look at: {"now", "storage_bytes", "spools", "open": [{"rule", "subject", "created_by"}], "owners":
-- [...]}. An
-- owner whose last eight days hold anything that the real Claude wrote is judged by that alone, others by what the
-- simulated one wrote. Imports raise no alert: they were made elsewhere, and often long ago. `earlier_judged` counts
-- what was judged before the last day, up to a hundred.
create or replace function public.count_alert_facts() returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    quarter_hour_now integer := floor(extract(epoch from now()) / 900)::integer;
    quarter_hour_a_day_ago integer := quarter_hour_now - 96;
    imported_batches uuid[] := array(select b.id from public.batches b where b.imported);
begin
    return jsonb_build_object(
        'now', now(),
        'storage_bytes', (public.measure_storage() ->> 'bytes')::bigint,
        'spools', public.list_spools(),
        'open', coalesce((
            select jsonb_agg(jsonb_build_object('rule', a.rule, 'subject', a.subject, 'created_by', a.created_by))
            from public.alerts a where a.resolved_at is null
        ), '[]'),
        'owners', coalesce((
            select jsonb_agg(jsonb_build_object(
                'created_by', o.created_by, 'first_batch_at', o.first_batch_at, 'simulated', coalesce(r.simulated, false),
                'day', jsonb_build_object('judged', coalesce(r.day_judged, 0), 'failed', coalesce(r.day_failed, 0)),
                'week', jsonb_build_object('judged', coalesce(r.week_judged, 0), 'failed', coalesce(r.week_failed, 0)),
                'week_before_day', jsonb_build_object(
                    'judged', coalesce(r.judged - r.day_judged, 0), 'failed', coalesce(r.failed - r.day_failed, 0)),
                'earlier_judged', e.judged, 'patterns', p.patterns
            ))
            from (
                select b.created_by, min(b.created_at) as first_batch_at from public.batches b where not b.imported
                group by b.created_by
            ) o
            left join lateral (
                select i.simulated, count(*) as judged, count(i.kind_id) as failed,
                    count(*) filter (where i.quarter_hour > quarter_hour_a_day_ago) as day_judged,
                    count(i.kind_id) filter (where i.quarter_hour > quarter_hour_a_day_ago) as day_failed,
                    count(*) filter (where i.quarter_hour > quarter_hour_now - 7 * 96) as week_judged,
                    count(i.kind_id) filter (where i.quarter_hour > quarter_hour_now - 7 * 96) as week_failed
                from public.item_outcomes i
                where i.created_by = o.created_by and i.quarter_hour > quarter_hour_now - 8 * 96
                    and i.batch_id <> all (imported_batches)
                group by i.simulated order by i.simulated limit 1
            ) r on true
            cross join lateral (
                select count(*) as judged from (
                    select 1 from public.item_outcomes i
                    where i.created_by = o.created_by and i.quarter_hour <= quarter_hour_a_day_ago
                        and i.batch_id <> all (imported_batches)
                    order by i.quarter_hour desc limit 100
                ) earlier
            ) e
            cross join lateral (
                select coalesce(jsonb_agg(jsonb_build_object('pattern', s.pattern, 'first_seen_at', s.first_seen_at)), '[]')
                    as patterns
                from (
                    select k.truncation_pattern as pattern, to_timestamp(min(f.quarter_hour) * 900.0) as first_seen_at
                    from public.failure_kinds k
                    cross join lateral (select min(i.quarter_hour) as quarter_hour from public.item_outcomes i
                        where i.kind_id = k.id and i.batch_id <> all (imported_batches)) f
                    where k.created_by = o.created_by and k.truncation_pattern is not null
                    group by k.truncation_pattern having min(f.quarter_hour) > quarter_hour_a_day_ago
                ) s
            ) p
        ), '[]')
    );
end
$$;

-- The version of the database, the migrations it has, and where replies wait: {"database", "migrations": [versions],
-- "spools"}.
create or replace function public.read_database_health() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
    return jsonb_build_object(
        'database', current_setting('server_version'), 'spools', public.list_spools(),
        'migrations', coalesce((
            select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m
        ), '[]')
    );
end
$$;

revoke all on public.spools from anon, authenticated;
grant all on public.spools to service_role;

revoke execute on function
    public.measure_room(), public.drop_old_replies(integer, integer), public.note_spool(uuid, text, integer, double precision),
    public.dismiss_spool(uuid), public.list_spools()
    from public, anon, authenticated;
grant execute on function public.measure_room(), public.dismiss_spool(uuid) to authenticated;
grant execute on function
    public.measure_room(), public.drop_old_replies(integer, integer), public.note_spool(uuid, text, integer, double precision),
    public.dismiss_spool(uuid), public.list_spools()
    to service_role;
