-- What the monitor and the overview count is read from indexes alone, also with row-level security (created_by is in each).

create index idx_batch_items_watch on public.batch_items (batch_id, status, position) include (created_by);
drop index public.idx_batch_items_status;

create index idx_batch_items_finished on public.batch_items (batch_id, finished_at desc) include (status, created_by)
    where status in ('completed', 'failed');
drop index public.idx_batch_items_closed;

create index idx_batch_items_judged on public.batch_items (created_by, finished_at) include (status)
    where status in ('completed', 'failed');

create index idx_generation_attempts_watch on public.generation_attempts (batch_id)
    include (stop_reason, outcome, cost_usd, input_tokens, output_tokens, simulated, created_by);

create index idx_generation_attempts_spend on public.generation_attempts (created_by, simulated) include (cost_usd);

create index idx_failed_generations_breakdown on public.failed_generations (run_id, failure_type, truncation_pattern)
    include (created_by) where run_id is not null;

create index idx_failed_generations_first_seen on public.failed_generations (created_by, truncation_pattern, created_at)
    where truncation_pattern is not null;

create index idx_conversations_coverage on public.conversations (created_by, persona_id, emotional_arc_id, training_topic_id)
    include (simulated);
