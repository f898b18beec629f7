-- Alerts, and the System page's health.
--
-- A worker evaluates the rules (core/domain/diagnosis/alerts.py) about once a minute: begin_alert_evaluation gives
-- the facts to one of all workers, save_alerts takes what it found. What concerns the whole installation is read with
-- the owner's rights and holds nobody's data.

-- What a worker found that somebody should look at. While a condition lasts its alert is one row, updated each time;
-- when it no longer holds the row is resolved, and if it comes back another row opens.
create table public.alerts (
    id uuid primary key default gen_random_uuid(),
    rule text not null
        check (rule in ('failure_rate', 'drift', 'new_pattern', 'storage', 'refused_jobs', 'stuck_results', 'silent_host')),
    subject text not null default '',
    severity text not null check (severity in ('critical', 'warning')),
    message text not null,
    advice text not null,
    figures jsonb not null default '{}' check (jsonb_typeof(figures) = 'object'),
    created_by uuid references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by uuid references auth.users (id) on delete set null,
    webhook_claimed_at timestamptz,
    webhook_sent_at timestamptz
);
comment on column public.alerts.subject is 'What it is about where a rule knows several: the truncation pattern';
comment on column public.alerts.created_by is 'Whose conversations it is about; null: the whole installation';
comment on column public.alerts.severity is 'The worst since it opened, so that it does not go up and down at a threshold';
comment on column public.alerts.resolved_at is 'When the condition no longer held; null: it lasts';
comment on column public.alerts.webhook_claimed_at is 'A worker is sending it since then; after two minutes another may';
create unique index idx_alerts_open on public.alerts (rule, subject, created_by) nulls not distinct where resolved_at is null;
create index idx_alerts_created_by on public.alerts (created_by, created_at desc);
create index idx_alerts_acknowledged on public.alerts (acknowledged_at) where acknowledged_at is not null;
create index idx_alerts_acknowledged_by on public.alerts (acknowledged_by) where acknowledged_by is not null;
create index idx_alerts_resolved on public.alerts (resolved_at) where resolved_at is not null;
alter table public.alerts enable row level security;
create policy "Users read their alerts and those of the installation" on public.alerts
    for select to authenticated using (created_by = (select auth.uid()) or created_by is null);

create table public.alert_evaluations (
    is_only boolean primary key default true check (is_only),
    evaluation_id uuid not null default gen_random_uuid(),
    begun_at timestamptz not null default '-infinity',
    evaluated_at timestamptz,
    has_webhook boolean not null default false
);
comment on table public.alert_evaluations is 'One row: when alerts were evaluated last, and whether that worker has a webhook';
alter table public.alert_evaluations enable row level security;
create policy "Signed-in users read when alerts were evaluated" on public.alert_evaluations
    for select to authenticated using (true);
insert into public.alert_evaluations default values;

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

-- What the bucket of RAW error reports holds, of all analysts, since its limit is the project's: {"bytes", "files"}.
create function public.measure_storage() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
    return (
        select jsonb_build_object('bytes', coalesce(sum((o.metadata ->> 'size')::bigint), 0), 'files', count(*))
        from storage.objects o where o.bucket_id = 'failed-generation-files'
    );
end
$$;

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
create function public.count_alert_facts() returns jsonb
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

-- Gives the facts, with an id to save under, to one worker in each `least_seconds`; null to all others.
create function public.begin_alert_evaluation(least_seconds double precision, has_webhook boolean) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    evaluation uuid;
begin
    update public.alert_evaluations e
    set evaluation_id = gen_random_uuid(), begun_at = now(), has_webhook = begin_alert_evaluation.has_webhook
    where e.begun_at <= now() - make_interval(secs => least_seconds)
    returning e.evaluation_id into evaluation;
    if evaluation is null then
        return null;
    end if;
    return jsonb_build_object('id', evaluation, 'facts', public.count_alert_facts());
end
$$;

-- Opens, updates and resolves alerts, so that exactly `raised` is open. An acknowledged alert stays so while its
-- condition lasts, unless it gets worse. False: another evaluation has begun since, and nothing was saved.
create function public.save_alerts(evaluation uuid, raised jsonb) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    update public.alert_evaluations e set evaluated_at = now() where e.evaluation_id = evaluation;
    if not found then
        return false;
    end if;
    insert into public.alerts as kept (rule, subject, severity, message, advice, figures, created_by)
    select r.rule, r.subject, r.severity, r.message, r.advice, r.figures, r.created_by
    from jsonb_to_recordset(raised) as r(
        rule text, subject text, severity text, message text, advice text, figures jsonb, created_by uuid
    )
    where r.created_by is null or exists (select 1 from auth.users u where u.id = r.created_by)
    on conflict (rule, subject, created_by) where resolved_at is null do update
    set message = excluded.message, advice = excluded.advice, figures = excluded.figures, last_seen_at = now(),
        severity = least(kept.severity, excluded.severity),  -- 'critical' comes first
        acknowledged_at = case when excluded.severity >= kept.severity then kept.acknowledged_at end,
        acknowledged_by = case when excluded.severity >= kept.severity then kept.acknowledged_by end,
        webhook_sent_at = case when excluded.severity >= kept.severity then kept.webhook_sent_at end;
    update public.alerts a set resolved_at = now()
    where a.resolved_at is null and not exists (
        select 1 from jsonb_to_recordset(raised) as r(rule text, subject text, created_by uuid)
        where r.rule = a.rule and r.subject = a.subject and r.created_by is not distinct from a.created_by
    );
    delete from public.alerts a where a.resolved_at < now() - interval '90 days';
    return true;
end
$$;

-- Gives open alerts that nobody was told of to the caller alone, the most urgent first.
create function public.claim_alert_webhooks(most integer) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    claimed jsonb;
begin
    with unsent as (
        select a.id from public.alerts a
        where a.resolved_at is null and a.acknowledged_at is null and a.webhook_sent_at is null
            and (a.webhook_claimed_at is null or a.webhook_claimed_at < now() - interval '2 minutes')
        order by a.severity, a.created_at limit most
        for update skip locked
    ), taken as (
        update public.alerts a set webhook_claimed_at = now() from unsent u where a.id = u.id
        returning a.id, a.rule, a.subject, a.severity, a.message, a.advice, a.figures, a.created_by, a.created_at, a.last_seen_at
    )
    select coalesce(jsonb_agg(to_jsonb(t) order by t.severity, t.created_at), '[]') into claimed from taken t;
    return claimed;
end
$$;

-- Notes how the sending of a claimed alert went; one that was not sent may be claimed again at once.
create function public.settle_alert_webhook(alert_id uuid, was_sent boolean) returns void
language sql security definer set search_path = ''
as $$
    update public.alerts a
    set webhook_claimed_at = null, webhook_sent_at = case when was_sent then now() end
    where a.id = alert_id
$$;

-- The caller's alerts: open ones, the most urgent first, and those acknowledged within a week; and what pages say
-- beside them.
create function public.read_alerts() returns jsonb
language sql stable set search_path = ''
as $$
    with seen as (
        select a.id, a.rule, a.subject, a.severity, a.message, a.advice, a.figures, a.created_by, a.created_at, a.last_seen_at,
            a.resolved_at, a.acknowledged_at, a.webhook_sent_at,
            coalesce(a.acknowledged_by = (select auth.uid()), false) as acknowledged_by_reader
        from public.alerts a
    )
    select jsonb_build_object(
        'open', coalesce((
            select jsonb_agg(to_jsonb(o) order by o.severity, o.created_at desc) from (
                select * from seen s where s.resolved_at is null and s.acknowledged_at is null
                order by s.severity, s.created_at desc limit 20
            ) o
        ), '[]'),
        'acknowledged', coalesce((
            select jsonb_agg(to_jsonb(k) order by k.acknowledged_at desc) from (
                select * from seen s where s.acknowledged_at >= now() - interval '7 days'
                order by s.acknowledged_at desc limit 20
            ) k
        ), '[]'),
        'open_items', (
            select count(*) from public.batches b join public.batch_items i on i.batch_id = b.id
            where b.status in ('queued', 'processing') and i.status in ('queued', 'processing')
        ),
        'evaluated_at', e.evaluated_at, 'has_webhook', e.has_webhook
    )
    from public.alert_evaluations e
$$;

-- Marks an open alert of the caller, or of the whole installation, as acknowledged (`is_seen`), or takes that back.
-- False: there is no such open alert.
create function public.acknowledge_alert(alert_id uuid, is_seen boolean) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    update public.alerts a
    set acknowledged_at = case when is_seen then coalesce(a.acknowledged_at, now()) end,
        acknowledged_by = case when is_seen then coalesce(a.acknowledged_by, auth.uid()) end
    where a.id = alert_id and a.resolved_at is null and (a.created_by = auth.uid() or a.created_by is null);
    return found;
end
$$;

-- The version of the database, the migrations it has, and where replies wait: {"database", "migrations": [versions],
-- "spools"}.
create function public.read_database_health() returns jsonb
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

-- How Claude answered the caller last: {"seen_at", "model", "simulated", "headers", "stop_reasons": {reason: calls of
-- the last hour}}.
create function public.read_claude_health() returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'stop_reasons', coalesce((
            select jsonb_object_agg(r.stop_reason, r.calls) from (
                select coalesce(a.stop_reason, 'none') as stop_reason, count(*) as calls
                from public.generation_attempts a
                where a.created_by = (select auth.uid()) and a.created_at >= now() - interval '1 hour' group by 1
            ) r
        ), '{}')
    ) || coalesce((
        select jsonb_build_object('seen_at', last.created_at, 'model', last.model, 'simulated', last.simulated,
            'headers', coalesce((
                select jsonb_object_agg(h.key, h.value) from jsonb_each_text(last.response_headers) h
                where starts_with(h.key, 'anthropic-ratelimit-')
            ), '{}'))
        from (
            select a.created_at, a.model, a.simulated, a.response_headers from public.generation_attempts a
            where a.created_by = (select auth.uid()) order by a.created_at desc limit 1
        ) last
    ), '{}')
$$;
