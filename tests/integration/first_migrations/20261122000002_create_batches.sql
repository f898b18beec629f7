-- A batch is what one submission asks for; an item is the unit of work, retry and accounting.

create table public.batches (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'paused', 'completed', 'failed', 'cancelled')),
    status_reason text,
    conversation_category varchar(20) not null check (conversation_category in ('core', 'edge')),
    model varchar(100) not null,
    max_tokens integer not null check (max_tokens >= 1),
    temperature numeric(3, 2),
    effort text check (effort in ('low', 'medium', 'high', 'xhigh', 'max')),
    structured_outputs boolean not null default true,
    concurrency integer not null default 3 check (concurrency between 1 and 200),
    error_handling text not null default 'continue' check (error_handling in ('continue', 'stop')),
    raise_max_tokens boolean not null default false,
    budget_usd numeric(12, 6) check (budget_usd > 0),
    canary_items integer not null default 0 check (canary_items >= 0),
    breaker_share double precision not null default 0.3 check (breaker_share > 0 and breaker_share <= 1),
    breaker_window integer not null default 20 check (breaker_window >= 1),
    watched_since timestamptz not null default now(),
    retry_of uuid references public.batches (id) on delete set null,
    pace_limit integer check (pace_limit >= 1),
    pace_reason text,
    pace_changed_at timestamptz,
    selection jsonb not null,
    snapshot jsonb not null,
    estimated_seconds double precision,
    estimated_cost_usd numeric(12, 6),
    created_by uuid not null references auth.users (id) on delete cascade
        check (created_by <> '00000000-0000-0000-0000-000000000000'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz
);
comment on column public.batches.snapshot is
    'Personas, arcs, topics and templates as they were at submission: {"personas": {id: row}, "arcs": ..., "topics": ..., "templates": ...}';
comment on column public.batches.raise_max_tokens is
    'A reply cut by max_tokens is tried once more with twice the limit; the cut attempt stays recorded';
comment on column public.batches.canary_items is
    'The first so many items run alone; the rest only if enough of them pass. 0: no canary';
comment on column public.batches.breaker_share is
    'The batch pauses itself when more than this share of its last breaker_window closed items failed';
comment on column public.batches.watched_since is
    'Breaker and canary look at items closed since; set anew when the analyst resumes';
comment on column public.batches.retry_of is 'The batch whose failed items these are';
comment on column public.batches.pace_limit is
    'Calls that may be in flight now, as Claude''s answers allow; null: as many as concurrency says';
comment on column public.batches.temperature is 'Null: none was sent (the API no longer takes one)';

create index idx_batches_created_by on public.batches (created_by, created_at desc);
create index idx_batches_retry_of on public.batches (retry_of) where retry_of is not null;
create index idx_batches_open on public.batches (status) where status in ('queued', 'processing');

create table public.batch_items (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references public.batches (id) on delete cascade,
    position integer not null check (position >= 0),
    persona_id uuid not null references public.personas (id),
    emotional_arc_id uuid not null references public.emotional_arcs (id),
    training_topic_id uuid not null references public.training_topics (id),
    template_id uuid not null references public.prompt_templates (id),
    tier text not null check (tier in ('template', 'scenario', 'edge_case')),
    max_tokens integer check (max_tokens >= 1),
    status text not null default 'queued' check (status in ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    available_at timestamptz not null default now(),
    lease_token uuid,
    lease_expires_at timestamptz,
    leased_by text,
    last_lease_token uuid,
    created_by uuid not null references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (batch_id, position),
    check ((status = 'processing') = (lease_token is not null)),
    check ((lease_token is null) = (lease_expires_at is null))
);
comment on column public.batch_items.last_lease_token is
    'The lease that ran out: its worker may still bring a paid reply, as long as no one else has taken the item';
comment on column public.batch_items.max_tokens is
    'Overrides the batch''s limit: set when a reply was cut by it and the batch allows one raise';
comment on column public.batch_items.available_at is 'Not leased before this time; a retry waits here, so a wait survives its worker';

create index idx_batch_items_status on public.batch_items (batch_id, status);
create index idx_batch_items_next on public.batch_items (batch_id, available_at, position) where status = 'queued';
create index idx_batch_items_closed on public.batch_items (batch_id, finished_at desc)
    where status in ('completed', 'failed');
create index idx_batch_items_leases on public.batch_items (lease_expires_at) where status = 'processing';
create index idx_batch_items_created_by on public.batch_items (created_by);
