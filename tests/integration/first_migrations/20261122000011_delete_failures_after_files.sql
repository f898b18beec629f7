-- Old failures are listed first, their files removed by the caller, and only then their rows deleted.

create function public.list_old_failures(older_than timestamptz, max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(old)), '[]') from (
        select f.id, f.raw_file_path from public.failed_generations f
        where f.created_at < older_than order by f.created_at limit max_rows
    ) old
$$;

create function public.delete_failures(failure_ids uuid[]) returns integer
language sql security definer set search_path = ''
as $$
    with deleted as (delete from public.failed_generations f where f.id = any (failure_ids) returning 1)
    select count(*)::integer from deleted
$$;

drop function public.delete_old_failures(timestamptz, integer);
revoke execute on function public.list_old_failures(timestamptz, integer), public.delete_failures(uuid[])
    from public, anon, authenticated;
grant execute on function public.list_old_failures(timestamptz, integer), public.delete_failures(uuid[]) to service_role;
