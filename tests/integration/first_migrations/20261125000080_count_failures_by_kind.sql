-- The charts of the failed generations count three columns, whatever else is filtered by: in an index of their own, 100,000
-- failures are a fiftieth of what the index of all filters is. One more entry for each failure that is written.
create index idx_failed_generations_ways on public.failed_generations
    (created_by, failure_type, stop_reason, truncation_pattern);

-- As in 20261122000020, but what has the words of a text is looked up first: as a condition among others it would be asked of
-- every failure.
create or replace function public.count_failed_generations(filters jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    others constant jsonb := filters - array['failure_type', 'stop_reason', 'truncation_pattern', 'text'];
    found constant uuid[] := case when filters ->> 'text' is not null
        then array(select m.id from public.find_failures_by_words(filters ->> 'text') as m(id)) end;
begin
    return (
        with grouped as materialized (
            select f.failure_type, coalesce(f.stop_reason, 'none') as stop_reason,
                coalesce(f.truncation_pattern, 'none') as truncation_pattern, count(*) as failures
            from public.matching_failures(others) f
            where found is null or f.id = any (found)
            group by 1, 2, 3
        ), judged as (
            select g.failure_type, g.stop_reason, g.truncation_pattern, g.failures,
                coalesce(g.failure_type = filters ->> 'failure_type', true) as has_type,
                coalesce(g.stop_reason = filters ->> 'stop_reason', true) as has_stop_reason,
                coalesce(g.truncation_pattern = filters ->> 'truncation_pattern', true) as has_pattern
            from grouped g
        )
        select jsonb_build_object(
            'total', coalesce((select sum(j.failures) from judged j
                where j.has_type and j.has_stop_reason and j.has_pattern), 0),
            'by_type', coalesce((select jsonb_object_agg(t.failure_type, t.n) from (
                select j.failure_type, sum(j.failures) as n from judged j
                where j.has_stop_reason and j.has_pattern group by 1) t), '{}'),
            'by_stop_reason', coalesce((select jsonb_object_agg(s.stop_reason, s.n) from (
                select j.stop_reason, sum(j.failures) as n from judged j
                where j.has_type and j.has_pattern group by 1) s), '{}'),
            'by_pattern', coalesce((select jsonb_object_agg(p.truncation_pattern, p.n) from (
                select j.truncation_pattern, sum(j.failures) as n from judged j
                where j.has_type and j.has_stop_reason group by 1) p), '{}')
        )
    );
end
$$;
