-- Scaffolding: what a conversation is made from. Rows are deactivated, never deleted, so that old batches keep their origin.

create table public.personas (
    id uuid primary key default gen_random_uuid(),
    persona_key text not null unique check (persona_key ~ '^[a-z0-9_]{1,100}$'),
    name text not null check (name <> ''),
    archetype text not null,
    age_range text not null,
    occupation text not null,
    income_range text not null,
    demographics jsonb not null default '{}' check (jsonb_typeof(demographics) = 'object'),
    financial_background text not null,
    financial_situation text not null,
    communication_style text not null,
    emotional_baseline text not null,
    typical_questions text[] not null default '{}',
    common_concerns text[] not null default '{}',
    language_patterns text[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.personas is 'Who the client of a conversation is';

create table public.emotional_arcs (
    id uuid primary key default gen_random_uuid(),
    arc_key text not null unique check (arc_key ~ '^[a-z0-9_]{1,100}$'),
    name text not null check (name <> ''),
    description text not null default '',
    conversation_category varchar(20) not null default 'core'
        constraint check_conversation_category check (conversation_category in ('core', 'edge')),
    tier text not null check (tier in ('template', 'scenario', 'edge_case')),
    starting_emotion text not null,
    starting_intensity_min double precision not null check (starting_intensity_min between 0 and 1),
    starting_intensity_max double precision not null check (starting_intensity_max between 0 and 1),
    ending_emotion text not null,
    ending_intensity_min double precision not null check (ending_intensity_min between 0 and 1),
    ending_intensity_max double precision not null check (ending_intensity_max between 0 and 1),
    arc_strategy text not null,
    key_principles text[] not null default '{}',
    characteristic_phrases text[] not null default '{}',
    response_techniques text[] not null default '{}',
    avoid_tactics text[] not null default '{}',
    typical_turn_count_min integer not null check (typical_turn_count_min >= 1),
    typical_turn_count_max integer not null,
    complexity_baseline integer not null check (complexity_baseline between 1 and 10),
    suitable_personas text[] not null default '{}',
    suitable_topics text[] not null default '{}',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (starting_intensity_min <= starting_intensity_max),
    check (ending_intensity_min <= ending_intensity_max),
    check (typical_turn_count_min <= typical_turn_count_max)
);
comment on table public.emotional_arcs is 'The emotional journey of a conversation';
comment on column public.emotional_arcs.conversation_category is
    'core (standard emotional journeys) or edge (boundary and crisis scenarios); the arc alone decides';

create table public.training_topics (
    id uuid primary key default gen_random_uuid(),
    topic_key text not null unique check (topic_key ~ '^[a-z0-9_]{1,100}$'),
    name text not null check (name <> ''),
    category text not null check (category <> ''),
    description text not null default '',
    complexity_level text not null check (complexity_level in ('beginner', 'intermediate', 'advanced')),
    typical_question_examples text[] not null default '{}',
    key_concepts text[] not null default '{}',
    suitable_personas text[] not null default '{}',
    suitable_emotional_arcs text[] not null default '{}',
    requires_specialist boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.training_topics is 'What a conversation is about';

create table public.prompt_templates (
    id uuid primary key default gen_random_uuid(),
    template_key text not null check (template_key ~ '^[a-z0-9_]{1,100}$'),
    version integer not null default 1 check (version >= 1),
    name text not null check (name <> ''),
    description text not null default '',
    emotional_arc_id uuid not null references public.emotional_arcs (id),
    system_prompt text not null,
    user_prompt text not null,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (template_key, version)
);
comment on table public.prompt_templates is 'Jinja prompts; a batch takes the newest active version for each arc';

create index idx_prompt_templates_arc on public.prompt_templates (emotional_arc_id, version desc) where is_active;
