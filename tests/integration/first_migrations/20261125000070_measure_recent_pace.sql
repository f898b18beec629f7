-- Pace is measured over what was judged last, since the batch was last resumed: a pause is no part of it. As in 20261125000030
-- but for the last three columns, which core/adapters/memory.py finds the same way.
create or replace view public.batch_progress with (security_invoker = true) as
select b.id, b.name, b.status, b.status_reason, b.conversation_category, b.model, b.max_tokens, b.effort,
    b.structured_outputs, b.concurrency, b.error_handling, b.raise_max_tokens, b.budget_usd, b.canary_items, b.retry_of,
    b.pace_limit, b.pace_reason, b.pace_changed_at,
    b.estimated_seconds, b.estimated_cost_usd, b.created_by,
    b.created_at, b.updated_at, b.started_at, b.completed_at,
    i.planned, i.accepted, i.failed, i.cancelled, i.running, i.queued,
    a.attempts, a.cost_usd, a.input_tokens, a.output_tokens, a.simulated, b.imported,
    case when r.judged > 30 and b.completed_at is null then r.since when b.started_at is not null then w.since end as recent_since,
    r.until as recent_until,
    case when b.completed_at is null then least(r.judged, 30) else r.judged end as recent_judged
from public.batches b
cross join lateral (
    select count(*)::integer as planned,
        count(*) filter (where bi.status = 'completed')::integer as accepted,
        count(*) filter (where bi.status = 'failed')::integer as failed,
        count(*) filter (where bi.status = 'cancelled')::integer as cancelled,
        count(*) filter (where bi.status = 'processing')::integer as running,
        count(*) filter (where bi.status = 'queued')::integer as queued
    from public.batch_items bi where bi.batch_id = b.id
) i
cross join lateral (
    select count(*)::integer as attempts, coalesce(sum(ga.cost_usd), 0) as cost_usd,
        coalesce(sum(ga.input_tokens), 0)::bigint as input_tokens,
        coalesce(sum(ga.output_tokens), 0)::bigint as output_tokens, coalesce(bool_or(ga.simulated), false) as simulated
    from public.generation_attempts ga where ga.batch_id = b.id
) a
cross join lateral (
    select greatest(b.started_at, b.watched_since) as since
) w
-- 30 closed items and the moment before them, read from the end of idx_batch_items_finished; of a batch that has ended, all.
cross join lateral (
    select count(*)::integer as judged, min(latest.finished_at) as since, max(latest.finished_at) as until
    from (
        select bi.finished_at from public.batch_items bi
        where bi.batch_id = b.id and bi.status in ('completed', 'failed') and bi.finished_at >= w.since
        order by bi.finished_at desc
        limit case when b.completed_at is null then 31 end
    ) latest
) r;
