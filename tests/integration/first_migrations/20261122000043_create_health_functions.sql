-- The System page. What concerns the whole installation is read with the owner's rights and holds nobody's data.

-- {"database", "migrations": [versions]}
create function public.read_database_health() returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
    return jsonb_build_object(
        'database', current_setting('server_version'),
        'migrations', coalesce((
            select jsonb_agg(m.version order by m.version) from supabase_migrations.schema_migrations m
        ), '[]')
    );
end
$$;

-- What the bucket of RAW error reports holds, of all analysts: the limit is the project's. {"bytes", "files"}
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

-- How Claude answered the caller last: {"seen_at", "model", "simulated", "headers", "stop_reasons": {reason: calls of the last hour}}
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

revoke execute on function public.read_database_health(), public.measure_storage(), public.read_claude_health() from public, anon;
grant execute on function public.read_database_health(), public.measure_storage(), public.read_claude_health()
    to authenticated, service_role;
