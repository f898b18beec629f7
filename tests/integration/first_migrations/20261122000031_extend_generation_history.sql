-- generation_history: with the spread that a range needs, and how long a token is. It rests on the caller's latest attempts,
-- so it follows what has changed (model, templates) and reads the same number of rows however many there are.
create or replace view public.generation_history with (security_invoker = true) as
with latest as (
    select a.model, a.simulated, a.batch_item_id, a.cost_usd, a.duration_ms, a.prompt_length,
        coalesce(a.input_tokens, 0) + coalesce(a.cache_creation_input_tokens, 0) + coalesce(a.cache_read_input_tokens, 0)
            as prompt_tokens
    from public.generation_attempts a
    where a.created_by = (select auth.uid())
    order by a.created_at desc
    limit 5000
), items as (
    select l.model, l.simulated, coalesce(sum(l.cost_usd), 0)::double precision as cost_usd,
        sum(l.duration_ms)::double precision / 1000 as seconds,
        sum(l.prompt_length) filter (where l.prompt_tokens > 0) as characters, sum(l.prompt_tokens) as tokens
    from latest l
    group by l.model, l.simulated, l.batch_item_id
)
select i.model, i.simulated, count(*)::integer as items, sum(i.cost_usd) as cost_usd, sum(i.seconds) as duration_seconds,
    stddev_samp(i.cost_usd) as cost_deviation_usd, stddev_samp(i.seconds) as duration_deviation_seconds,
    sum(i.characters)::double precision / nullif(sum(i.tokens), 0)::double precision as characters_per_token
from items i
group by i.model, i.simulated;
comment on view public.generation_history is
    'What a conversation has cost and taken lately, retries included: the caller''s latest 5,000 attempts, by model';
