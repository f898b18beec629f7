-- The analyst's side: control a batch, and read how it goes. Counts are computed here, never kept.

-- action: pause | resume | cancel; resuming may set a new budget. Returns {"outcome": "done" | "rejected" | "not_found", "status", "reason"}.
create function public.control_batch(target_batch_id uuid, action text, new_budget_usd numeric default null) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    batch public.batches;
begin
    select b.* into batch from public.batches b
    where b.id = target_batch_id and b.created_by = auth.uid() for update;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if action = 'pause' and batch.status in ('queued', 'processing') then
        update public.batches b set status = 'paused', status_reason = 'Paused by the analyst.', updated_at = now()
        where b.id = target_batch_id;
    elsif action = 'resume' and batch.status = 'paused' then
        update public.batches b
        set status = case when b.started_at is null then 'queued' else 'processing' end, status_reason = null,
            watched_since = now(), budget_usd = coalesce(new_budget_usd, b.budget_usd), updated_at = now()
        where b.id = target_batch_id;
        perform public.settle_batch(target_batch_id);
    elsif action = 'cancel' and batch.status in ('queued', 'processing', 'paused') then
        perform public.stop_batch(target_batch_id, 'cancelled', 'Cancelled by the analyst.');
    else
        return jsonb_build_object('outcome', 'rejected', 'status', batch.status,
            'reason', format('A batch that is %s cannot be %s.', batch.status,
                case action when 'pause' then 'paused' when 'resume' then 'resumed' when 'cancel' then 'cancelled'
                    else 'changed by "' || action || '"' end));
    end if;
    return jsonb_build_object('outcome', 'done',
        'status', (select b.status from public.batches b where b.id = target_batch_id));
end
$$;

revoke execute on function public.control_batch(uuid, text, numeric) from public, anon;
grant execute on function public.control_batch(uuid, text, numeric) to authenticated;

-- One row for each batch: always planned = accepted + failed + cancelled + running + queued.
create view public.batch_progress with (security_invoker = true) as
select b.id, b.name, b.status, b.status_reason, b.conversation_category, b.model, b.max_tokens, b.effort,
    b.structured_outputs, b.concurrency, b.error_handling, b.raise_max_tokens, b.budget_usd, b.canary_items, b.retry_of,
    b.pace_limit, b.pace_reason, b.pace_changed_at,
    b.estimated_seconds, b.estimated_cost_usd, b.created_by,
    b.created_at, b.updated_at, b.started_at, b.completed_at,
    i.planned, i.accepted, i.failed, i.cancelled, i.running, i.queued,
    a.attempts, a.cost_usd, a.input_tokens, a.output_tokens, a.simulated
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
) a;
comment on view public.batch_progress is 'A batch with its counts (items), spend and tokens (attempts)';

-- One row for each batch and failure type: failed generations.
create view public.batch_failure_types with (security_invoker = true) as
select f.run_id as batch_id, f.failure_type, f.truncation_pattern, count(*)::integer as failures
from public.failed_generations f where f.run_id is not null
group by f.run_id, f.failure_type, f.truncation_pattern;

-- One row for each batch and stop_reason: attempts; stop_reason is null where a call brought no reply.
create view public.batch_stop_reasons with (security_invoker = true) as
select a.batch_id, a.stop_reason, a.outcome, count(*)::integer as attempts
from public.generation_attempts a
group by a.batch_id, a.stop_reason, a.outcome;

-- What a conversation has cost and taken so far, for estimates: one row for each model, over the caller's attempts.
create view public.generation_history with (security_invoker = true) as
select a.model, a.simulated, count(distinct a.batch_item_id)::integer as items,
    coalesce(sum(a.cost_usd), 0)::double precision as cost_usd,
    coalesce(sum(a.duration_ms), 0)::double precision / 1000 as duration_seconds
from public.generation_attempts a
group by a.model, a.simulated;

revoke all on public.batch_progress, public.batch_failure_types, public.batch_stop_reasons, public.generation_history
    from anon, authenticated;
grant select on public.batch_progress, public.batch_failure_types, public.batch_stop_reasons, public.generation_history
    to authenticated, service_role;
