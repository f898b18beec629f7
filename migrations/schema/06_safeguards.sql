-- Safeguards: what pauses or stops a batch before it costs more than it is worth: canary, budget, circuit breaker.

-- What a batch has spent, and what one more call is expected to cost: its mean so far; before the first paid call its
-- share of the estimate. A reply whose price is not known counts as one expected call.
create function public.measure_budget(target_batch_id uuid, out spent_usd numeric, out call_usd numeric)
language sql stable set search_path = ''
as $$
    select p.spent + p.unpriced_replies * c.call_usd, c.call_usd
    from (
        select coalesce(max(t.cost_usd), 0) as spent, coalesce(max(t.priced_calls), 0) as priced_calls,
            coalesce(max(t.unpriced_replies), 0) as unpriced_replies, coalesce(max(t.planned), 0) as planned
        from public.batch_totals t where t.batch_id = target_batch_id
    ) p
    cross join lateral (
        select case when p.priced_calls > 0 then p.spent / p.priced_calls else coalesce((
            select b.estimated_cost_usd / nullif(p.planned, 0) from public.batches b where b.id = target_batch_id
        ), 0) end as call_usd
    ) c
$$;

-- How many more items a batch may lease: none beyond its canary until that has passed, none beyond its budget. Pauses
-- the batch where the canary failed or the budget is reached. The caller holds the batch's row lock.
create function public.check_limits(target_batch_id uuid) returns integer
language plpgsql set search_path = ''
as $$
declare
    batch public.batches;
    in_flight integer;
    spent numeric;
    expected numeric;
    allowed integer := 1000000;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id;
    if batch.canary_items > 0 and not batch.canary_passed and not public.check_canary(batch) then
        return 0;
    end if;
    if batch.budget_usd is not null then
        select m.spent_usd, m.call_usd into spent, expected from public.measure_budget(target_batch_id) m;
        select t.processing into in_flight from public.batch_totals t where t.batch_id = target_batch_id;
        if spent >= batch.budget_usd or (in_flight = 0 and spent + expected > batch.budget_usd) then
            perform public.pause_batch(target_batch_id, format(
                'Paused automatically: the budget of $%s is reached ($%s spent, about $%s a call). Raise it or cancel.',
                round(batch.budget_usd, 2), round(spent, 2), round(expected, 4)));
            return 0;
        end if;
        if expected > 0 then
            allowed := least(allowed, floor((batch.budget_usd - spent) / expected)::integer - in_flight);
        end if;
    end if;
    return greatest(allowed, 0);
end
$$;

-- Judges a canary once it has ended: notes that it passed, or pauses the batch; false where it failed. One that was resumed
-- since the canary ended has been looked at by somebody, so it goes on. The caller holds the batch's row lock.
create function public.check_canary(batch public.batches) returns boolean
language plpgsql set search_path = ''
as $$
declare
    accepted integer;
    failed integer;
    ended_at timestamptz;
begin
    if exists (
        select 1 from public.batch_items i
        where i.batch_id = batch.id and i.status in ('queued', 'processing') and i.position < batch.canary_items
    ) then
        return true;
    end if;
    select count(*) filter (where i.status = 'completed'), count(*) filter (where i.status = 'failed'), max(i.finished_at)
    into accepted, failed, ended_at
    from public.batch_items i where i.batch_id = batch.id and i.position < batch.canary_items;
    if failed > batch.breaker_share * (accepted + failed) and ended_at >= batch.watched_since then
        perform public.pause_batch(batch.id, format(
            'Paused automatically: %s of the %s canary items failed (more than %s %%). Look at the failures, then resume or cancel.',
            failed, accepted + failed, round((batch.breaker_share * 100)::numeric)));
        return false;
    end if;
    update public.batches b set canary_passed = true where b.id = batch.id;
    return true;
end
$$;

-- The circuit breaker: looks at a batch after one of its items failed, and pauses it where it is not worth going on.
-- The caller holds the batch's row lock. Two signs count, both among the items closed since the analyst last resumed
-- the batch: the last three failed with the same signature, nothing was accepted, and the cause is not the text of a
-- reply (no reply came, a limit cut it, or our own code raised), so a setting, a template or the service is to blame
-- and the next item would fail alike; or more than a share of the last twenty failed, for whatever reasons.
create function public.check_breaker(target_batch_id uuid) returns void
language plpgsql set search_path = ''
as $$
declare
    alike constant integer := 3;
    latest constant integer := 20;
    batch public.batches;
    closed integer;
    failed integer;
    signatures integer;
    message text;
begin
    select b.* into batch from public.batches b where b.id = target_batch_id;
    if batch.status not in ('queued', 'processing') then
        return;
    end if;
    select count(*), count(*) filter (where r.status = 'failed') into closed, failed
    from (
        select i.status from public.batch_items i
        where i.batch_id = target_batch_id and i.status in ('completed', 'failed') and i.finished_at >= batch.watched_since
        order by i.finished_at desc limit latest
    ) r;
    if closed >= latest and failed > batch.breaker_share * closed then
        perform public.pause_batch(target_batch_id, format(
            'Paused automatically: %s of the last %s items failed (more than %s %%). Look at the failures, then resume or cancel.',
            failed, closed, round((batch.breaker_share * 100)::numeric)));
        return;
    end if;
    if failed < alike or failed < closed or exists (
        select 1 from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'completed' and i.finished_at >= batch.watched_since
    ) then
        return;
    end if;
    select count(*), count(distinct f.fingerprint), max(coalesce(f.error_message, f.truncation_details))
    into failed, signatures, message
    from (
        select i.id from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'failed' and i.finished_at >= batch.watched_since
        order by i.finished_at desc limit alike
    ) r
    join public.failed_generations f on f.batch_item_id = r.id
    where f.fingerprint is not null and (
        f.stop_reason is null or f.stop_reason in ('max_tokens', 'model_context_window_exceeded') or f.error_stack is not null
    );
    if failed = alike and signatures = 1 then
        message := regexp_replace(coalesce(message, 'no message'), '\s+', ' ', 'g');
        perform public.pause_batch(target_batch_id, format(
            'Paused automatically: %s items failed in the same way and none was accepted (%s). '
            'Change what it names (settings, template), or cancel; resume to try on.',
            alike, case when length(message) <= 140 then message else left(message, 139) || '…' end));
    end if;
end
$$;

-- Pauses a batch automatically, with a reason; calls already running will finish.
create function public.pause_batch(target_batch_id uuid, reason text) returns void
language sql set search_path = ''
as $$
    update public.batches b set status = 'paused', status_reason = reason, updated_at = now()
    where b.id = target_batch_id and b.status in ('queued', 'processing')
$$;

-- Ends a batch early: nothing more is leased, what is in flight is still recorded. Items of workers that are gone are
-- taken back at once, so that the end does not wait for a reconciler.
create function public.stop_batch(target_batch_id uuid, new_status text, reason text) returns void
language plpgsql set search_path = ''
as $$
begin
    update public.batches b set status = new_status, status_reason = reason, stopped_at = now(), updated_at = now()
    where b.id = target_batch_id and b.status in ('queued', 'processing', 'paused');
    if found then
        perform public.reclaim_items(target_batch_id);
        update public.batch_items i set status = 'cancelled', finished_at = now()
        where i.batch_id = target_batch_id and i.status = 'queued';
        perform public.settle_batch(target_batch_id);
    end if;
end
$$;
