-- Names the batches that this worker could help and does not work on yet: the oldest of each analyst before the second of
-- anybody, so that whoever has many open ones keeps nobody else waiting.
create or replace function public.list_batches_to_help(worker text) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(o.id order by o.place, o.created_at), '[]') from (
        select h.id, h.created_at, row_number() over (partition by b.created_by order by h.created_at) as place
        from public.find_batches_to_help() h join public.batches b on b.id = h.id
        where not exists (
            select 1 from public.batch_workers w
            where w.batch_id = h.id and w.worker = list_batches_to_help.worker and w.expires_at >= now()
        )
        order by place, h.created_at limit 100
    ) o
$$;
