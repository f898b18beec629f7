-- Reading failed generations: filters, pages by key, statistics, and what a RAW error report is made of.
--
-- `filters` holds any of failure_type, stop_reason ('none': no reply), truncation_pattern ('none': no pattern), batch_id,
-- persona_id, emotional_arc_id, training_topic_id, template_id, model, date_from, date_to, text. Reading functions run with
-- the caller's rights, so row-level security decides what they see.

create function public.matching_failures(filters jsonb) returns setof public.failed_generations
language sql stable set search_path = ''
as $$
    select f.* from public.failed_generations f
    where (filters ->> 'failure_type' is null or f.failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(f.stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null
            or coalesce(f.truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'batch_id' is null or f.run_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'persona_id' is null or f.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or f.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or f.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or f.template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'model' is null or f.model = filters ->> 'model')
        and (filters ->> 'date_from' is null or f.created_at >= (filters ->> 'date_from')::timestamptz)
        and (filters ->> 'date_to' is null or f.created_at < (filters ->> 'date_to')::timestamptz)
        and (filters ->> 'text' is null
            or strpos(lower(concat_ws(' ', f.truncation_details, f.error_message, f.response_content)),
                lower(filters ->> 'text')) > 0)
$$;

-- One page, newest first, after the row that `after_created_at` and `after_id` name (both null: the first page).
create function public.list_failed_generations(
    filters jsonb, page_size integer, after_created_at timestamptz, after_id uuid
) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(page)), '[]') from (
        select f.id, f.run_id as batch_id, f.failure_type, f.truncation_pattern, f.truncation_details, f.stop_reason,
            f.error_message, f.turn_index, f.confidence, f.model, f.max_tokens, f.input_tokens, f.output_tokens,
            f.cost_usd, f.attempt_count, f.persona_id, f.emotional_arc_id, f.training_topic_id, f.template_id,
            f.raw_file_path, f.simulated, f.created_at
        from public.matching_failures(filters) f
        where after_created_at is null or (f.created_at, f.id) < (after_created_at, after_id)
        order by f.created_at desc, f.id desc
        limit least(greatest(page_size, 1), 200)
    ) page
$$;

-- Counts over everything that matches: {"total", "by_type", "by_stop_reason", "by_pattern"}; 'none' stands for null.
create function public.count_failed_generations(filters jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    with grouped as (
        select f.failure_type, coalesce(f.stop_reason, 'none') as stop_reason,
            coalesce(f.truncation_pattern, 'none') as truncation_pattern, count(*) as failures
        from public.matching_failures(filters) f
        group by 1, 2, 3
    )
    select jsonb_build_object(
        'total', coalesce((select sum(g.failures) from grouped g), 0),
        'by_type', coalesce((select jsonb_object_agg(t.failure_type, t.n) from (
            select g.failure_type, sum(g.failures) as n from grouped g group by 1) t), '{}'),
        'by_stop_reason', coalesce((select jsonb_object_agg(s.stop_reason, s.n) from (
            select g.stop_reason, sum(g.failures) as n from grouped g group by 1) s), '{}'),
        'by_pattern', coalesce((select jsonb_object_agg(p.truncation_pattern, p.n) from (
            select g.truncation_pattern, sum(g.failures) as n from grouped g group by 1) p), '{}')
    )
$$;

-- Everything a report needs of one failure: the row, its attempts in order, and the names of its scaffolding.
create function public.describe_failure(failure_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object(
        'failure', to_jsonb(f),
        'attempts', coalesce((
            select jsonb_agg(to_jsonb(a) order by a.attempt_number) from public.generation_attempts a
            where a.batch_item_id = f.batch_item_id
        ), '[]'),
        'scaffolding', jsonb_build_object(
            'persona_key', b.snapshot -> 'personas' -> f.persona_id::text ->> 'persona_key',
            'arc_key', b.snapshot -> 'arcs' -> f.emotional_arc_id::text ->> 'arc_key',
            'topic_key', b.snapshot -> 'topics' -> f.training_topic_id::text ->> 'topic_key',
            'template_key', b.snapshot -> 'templates' -> f.template_id::text ->> 'template_key',
            'template_version', b.snapshot -> 'templates' -> f.template_id::text -> 'version',
            'conversation_category', b.conversation_category
        )
    )
    from public.failed_generations f left join public.batches b on b.id = f.run_id
    where f.id = failure_id
$$;

create index idx_failed_generations_without_report on public.failed_generations (created_at) where raw_file_path is null;

-- The failures whose report is not in the bucket yet, oldest first.
create function public.list_missing_reports(max_rows integer) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(m.id), '[]') from (
        select f.id from public.failed_generations f where f.raw_file_path is null order by f.created_at limit max_rows
    ) m
$$;

create function public.set_report_path(failure_id uuid, path text) returns void
language sql security definer set search_path = ''
as $$
    update public.failed_generations f set raw_file_path = path where f.id = failure_id
$$;

-- Deletes failures older than a moment, at most `max_rows`; returns the paths of their reports, for the caller to remove.
create function public.delete_old_failures(older_than timestamptz, max_rows integer) returns jsonb
language sql security definer set search_path = ''
as $$
    with doomed as (
        delete from public.failed_generations f
        where f.id in (
            select o.id from public.failed_generations o where o.created_at < older_than order by o.created_at limit max_rows
        )
        returning f.raw_file_path
    )
    select jsonb_build_object('deleted', count(*), 'paths', coalesce(jsonb_agg(d.raw_file_path)
        filter (where d.raw_file_path is not null), '[]'))
    from doomed d
$$;

revoke execute on function
    public.matching_failures(jsonb), public.list_failed_generations(jsonb, integer, timestamptz, uuid),
    public.count_failed_generations(jsonb), public.describe_failure(uuid), public.list_missing_reports(integer),
    public.set_report_path(uuid, text), public.delete_old_failures(timestamptz, integer)
    from public, anon, authenticated;
grant execute on function
    public.matching_failures(jsonb), public.list_failed_generations(jsonb, integer, timestamptz, uuid),
    public.count_failed_generations(jsonb), public.describe_failure(uuid)
    to authenticated, service_role;
grant execute on function
    public.list_missing_reports(integer), public.set_report_path(uuid, text),
    public.delete_old_failures(timestamptz, integer)
    to service_role;
