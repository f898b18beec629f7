-- Results: attempts (append-only), conversations (the training data) and failed generations (diagnostic data). The service role
-- alone writes them.

create table public.generation_attempts (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    batch_item_id uuid not null references public.batch_items (id) on delete cascade,
    attempt_number integer not null check (attempt_number >= 1),
    outcome text not null check (outcome in ('accepted', 'failed', 'retried', 'superseded')),
    model varchar(100) not null,
    max_tokens integer not null,
    temperature numeric(3, 2),
    effort text,
    structured_outputs boolean not null,
    prompt_length integer not null,
    stop_reason varchar(50),
    failure_type varchar(50),
    failure_pattern varchar(50),
    http_status integer,
    request_id text,
    input_tokens integer,
    output_tokens integer,
    cache_creation_input_tokens integer,
    cache_read_input_tokens integer,
    cost_usd numeric(12, 6),
    duration_ms integer not null check (duration_ms >= 0),
    wait_ms integer not null default 0 check (wait_ms >= 0),
    response_headers jsonb not null default '{}',
    response_body text,
    response_body_encoding text check (response_body_encoding in ('utf-8', 'base64')),
    error_type text,
    error_message text,
    simulated boolean not null,
    worker text not null,
    created_by uuid not null references auth.users (id) on delete cascade,
    started_at timestamptz not null,
    created_at timestamptz not null default now(),
    unique (batch_item_id, attempt_number)
);
comment on table public.generation_attempts is 'One row for each call to Claude, good or bad; never updated';
comment on column public.generation_attempts.outcome is
    'retried: the item was tried again; superseded: a paid reply that came after its item had been given to another worker';
comment on column public.generation_attempts.response_body is 'The raw HTTP body, base64 where it is not UTF-8 text';
comment on column public.generation_attempts.wait_ms is 'How long the item waited after this attempt before it could be tried again';
create index idx_generation_attempts_batch on public.generation_attempts (batch_id, created_at);
create index idx_generation_attempts_created_by on public.generation_attempts (created_by, created_at desc);
create index idx_generation_attempts_watch on public.generation_attempts (batch_id)
    include (stop_reason, outcome, cost_usd, input_tokens, output_tokens, simulated, created_by);
create index idx_generation_attempts_spend on public.generation_attempts (created_by, simulated) include (cost_usd);

create table public.conversations (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    batch_item_id uuid not null unique references public.batch_items (id) on delete cascade,
    attempt_id uuid not null unique references public.generation_attempts (id) on delete cascade,
    name text not null,
    conversation_category varchar(20) not null check (conversation_category in ('core', 'edge')),
    tier text not null check (tier in ('template', 'scenario', 'edge_case')),
    turns jsonb not null check (jsonb_typeof(turns) = 'array' and jsonb_array_length(turns) >= 2),
    turn_count integer generated always as (jsonb_array_length(turns)) stored,
    metadata jsonb not null,
    starting_emotion text,
    starting_intensity double precision,
    ending_emotion text,
    ending_intensity double precision,
    review_status text not null default 'pending_review'
        check (review_status in ('pending_review', 'approved', 'rejected', 'archived')),
    quality_score numeric(3, 2),
    persona_id uuid not null references public.personas (id),
    emotional_arc_id uuid not null references public.emotional_arcs (id),
    training_topic_id uuid not null references public.training_topics (id),
    template_id uuid not null references public.prompt_templates (id),
    scaffolding_snapshot jsonb not null,
    model varchar(100) not null,
    stop_reason varchar(50) not null check (stop_reason = 'end_turn'),
    input_tokens integer,
    output_tokens integer,
    cost_usd numeric(12, 6),
    simulated boolean not null,
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now()
);
comment on table public.conversations is 'Accepted replies only: the training data';
create index idx_conversations_batch on public.conversations (batch_id, created_at);
create index idx_conversations_filters on public.conversations (created_by, created_at desc, id desc)
    include (batch_id, persona_id, emotional_arc_id, training_topic_id, conversation_category, tier, model, review_status,
        quality_score);
create index idx_conversations_combination on public.conversations
    (created_by, persona_id, emotional_arc_id, training_topic_id) include (simulated, review_status);
create index idx_conversations_coverage on public.conversations (created_by, persona_id, emotional_arc_id, training_topic_id)
    include (simulated);

create table public.failed_generations (
    id uuid primary key default gen_random_uuid(),
    conversation_id uuid,
    run_id uuid references public.batches (id) on delete cascade,
    batch_item_id uuid unique references public.batch_items (id) on delete cascade,
    attempt_id uuid references public.generation_attempts (id) on delete set null,
    prompt text not null,
    prompt_length integer not null,
    model varchar(100) not null,
    max_tokens integer,
    temperature numeric(3, 2),
    effort text,
    structured_outputs_enabled boolean default true,
    raw_response jsonb not null,
    response_content text,
    stop_reason varchar(50),
    input_tokens integer,
    output_tokens integer,
    failure_type varchar(50) not null,
    truncation_pattern varchar(50),
    truncation_details text,
    confidence text check (confidence in ('high', 'medium', 'low')),
    turn_index integer check (turn_index >= 0),
    error_message text,
    error_stack text,
    raw_file_path text,
    created_at timestamptz not null default now(),
    created_by uuid not null references auth.users (id) on delete cascade,
    persona_id uuid,
    emotional_arc_id uuid,
    training_topic_id uuid,
    template_id uuid,
    request_id text,
    cost_usd numeric(12, 6),
    attempt_count integer not null default 1,
    simulated boolean not null default false,
    fingerprint varchar(160),
    imported boolean not null default false,
    constraint failed_generations_failure_type_check check (
        failure_type in ('truncation', 'parse_error', 'validation_error', 'api_error', 'refusal', 'corruption')
    ),
    constraint failed_generations_max_tokens_check check (imported or max_tokens is not null)
);
comment on table public.failed_generations is 'Replies and calls that were not accepted, kept whole for diagnosis; never training data';
comment on column public.failed_generations.run_id is 'The batch';
comment on column public.failed_generations.conversation_id is 'Always null here: a failure never has a conversation (kept for the documents'' column list)';
comment on column public.failed_generations.turn_index is 'Turn that is to blame, from 0; null where no single turn is';
comment on column public.failed_generations.raw_file_path is 'RAW error report in the bucket failed-generation-files; null until it is uploaded';
comment on column public.failed_generations.fingerprint is
    'Key of the kind of failure: shape of the end, or normalised message; the worker computes it (core/domain/fingerprint.py)';
create index idx_failed_generations_failure_type on public.failed_generations (failure_type);
create index idx_failed_generations_stop_reason on public.failed_generations (stop_reason);
create index idx_failed_generations_created_at on public.failed_generations (created_at desc);
create index idx_failed_generations_pattern on public.failed_generations (truncation_pattern) where truncation_pattern is not null;
create index idx_failed_generations_run_id on public.failed_generations (run_id) where run_id is not null;
create index idx_failed_generations_attempt_id on public.failed_generations (attempt_id);
create index idx_failed_generations_raw_file_path on public.failed_generations (raw_file_path) where raw_file_path is not null;
create index idx_failed_generations_without_report on public.failed_generations (created_at) where raw_file_path is null;
create index idx_failed_generations_breakdown on public.failed_generations (run_id, failure_type, truncation_pattern)
    include (created_by) where run_id is not null;
create index idx_failed_generations_fingerprint on public.failed_generations (created_by, fingerprint, created_at desc);
create index idx_failed_generations_without_fingerprint on public.failed_generations (created_at) where fingerprint is null;
create index idx_failed_generations_filters on public.failed_generations (created_by, created_at desc, id desc)
    include (failure_type, stop_reason, truncation_pattern, run_id, persona_id, emotional_arc_id, training_topic_id,
        template_id, model, fingerprint, turn_index, structured_outputs_enabled, max_tokens, output_tokens, effort,
        prompt_length);
create index idx_failed_generations_first_seen on public.failed_generations (created_by, truncation_pattern, created_at)
    where truncation_pattern is not null and not imported;
-- The charts of the failed generations count three columns, whatever else is filtered by: in an index of their own, 100,000
-- failures are a fiftieth of what the index of all filters is. One more entry for each failure that is written.
create index idx_failed_generations_ways on public.failed_generations
    (created_by, failure_type, stop_reason, truncation_pattern);

insert into storage.buckets (id, name, public)
values ('failed-generation-files', 'failed-generation-files', false)
on conflict (id) do nothing;

alter table public.generation_attempts enable row level security;
alter table public.conversations enable row level security;
alter table public.failed_generations enable row level security;

create policy "Users read their attempts" on public.generation_attempts
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their conversations" on public.conversations
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their failures" on public.failed_generations
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read the reports of their failures" on storage.objects
    for select to authenticated using (
        bucket_id = 'failed-generation-files'
        and exists (
            select 1 from public.failed_generations f
            where f.raw_file_path = storage.objects.name and f.created_by = (select auth.uid())
        )
    );

revoke all on public.generation_attempts, public.conversations, public.failed_generations from anon, authenticated;
grant select on public.generation_attempts, public.conversations, public.failed_generations to authenticated;
