-- Scaffolding: the personas, arcs, topics and prompt templates that conversations are made from.
--
-- Any signed-in analyst reads and saves them. Rows are deactivated, never deleted; a batch keeps a snapshot of those
-- it was made from. save_persona, save_arc and save_topic write one whole row: a new one without `updated_at`; with
-- it, the row is changed only if it still is as of that time. A key never changes, since batches and other rows name
-- it. Templates and axes are their author's own. All saving functions return {"outcome": "saved" | "rejected" | "conflict", "id", "reason"}.
--
-- The comment on a constraint is what an analyst reads who violates it (explain_error).

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
-- Not valid: rows from before these rules stay as they are until somebody saves them.
alter table public.personas
    add constraint personas_name_line check (public.is_line(name)) not valid,
    add constraint personas_archetype_line check (public.is_line(archetype)) not valid,
    add constraint personas_age_range_line check (public.is_line(age_range)) not valid,
    add constraint personas_occupation_line check (public.is_line(occupation)) not valid,
    add constraint personas_income_range_line check (public.is_line(income_range)) not valid,
    add constraint personas_demographics_map check (public.is_text_map(demographics)) not valid,
    add constraint personas_financial_background_text check (public.is_text(financial_background, 20000)) not valid,
    add constraint personas_financial_situation_text check (public.is_text(financial_situation, 20000)) not valid,
    add constraint personas_communication_style_text check (public.is_text(communication_style, 20000)) not valid,
    add constraint personas_emotional_baseline_text check (public.is_text(emotional_baseline, 20000)) not valid,
    add constraint personas_typical_questions_list check (public.is_text_list(typical_questions)) not valid,
    add constraint personas_common_concerns_list check (public.is_text_list(common_concerns)) not valid,
    add constraint personas_language_patterns_list check (public.is_text_list(language_patterns)) not valid;
comment on table public.personas is 'Who the client of a conversation is';
comment on constraint personas_demographics_check on public.personas is
    'Demographics: at most 100 texts by name, such as {"age": "41"}, of at most 2,000 characters each.';
alter table public.personas enable row level security;
create policy "Signed-in users read personas" on public.personas for select to authenticated using (true);

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
-- Not valid: rows from before these rules stay as they are until somebody saves them.
alter table public.emotional_arcs
    add constraint emotional_arcs_name_line check (public.is_line(name)) not valid,
    add constraint emotional_arcs_description_note check (public.is_note(description, 20000)) not valid,
    add constraint emotional_arcs_starting_emotion_line check (public.is_line(starting_emotion)) not valid,
    add constraint emotional_arcs_ending_emotion_line check (public.is_line(ending_emotion)) not valid,
    add constraint emotional_arcs_arc_strategy_line check (public.is_line(arc_strategy)) not valid,
    add constraint emotional_arcs_key_principles_list check (public.is_text_list(key_principles)) not valid,
    add constraint emotional_arcs_characteristic_phrases_list check (public.is_text_list(characteristic_phrases)) not valid,
    add constraint emotional_arcs_response_techniques_list check (public.is_text_list(response_techniques)) not valid,
    add constraint emotional_arcs_avoid_tactics_list check (public.is_text_list(avoid_tactics)) not valid,
    add constraint emotional_arcs_suitable_personas_list check (public.is_text_list(suitable_personas)) not valid,
    add constraint emotional_arcs_suitable_topics_list check (public.is_text_list(suitable_topics)) not valid,
    add constraint emotional_arcs_turns_most check (typical_turn_count_max <= 1000) not valid,
    add constraint emotional_arcs_edge_tier
        check ((conversation_category = 'edge') = (tier = 'edge_case')) not valid;
comment on table public.emotional_arcs is 'The emotional journey of a conversation';
comment on column public.emotional_arcs.conversation_category is
    'core (standard emotional journeys) or edge (boundary and crisis scenarios); the arc alone decides';
comment on constraint emotional_arcs_turns_most on public.emotional_arcs is 'Turns: at most 1,000.';
comment on constraint emotional_arcs_edge_tier on public.emotional_arcs is 'Tier: edge_case for edge arcs, and for no other.';
comment on constraint check_conversation_category on public.emotional_arcs is 'Category: core or edge.';
comment on constraint emotional_arcs_tier_check on public.emotional_arcs is 'Tier: template, scenario or edge_case.';
comment on constraint emotional_arcs_complexity_baseline_check on public.emotional_arcs is 'Complexity: 1 to 10.';
comment on constraint emotional_arcs_typical_turn_count_min_check on public.emotional_arcs is 'Turns: at least 1.';
comment on constraint emotional_arcs_check2 on public.emotional_arcs is 'Turns: the lower bound is above the upper bound.';
comment on constraint emotional_arcs_check on public.emotional_arcs is
    'Starting intensity: the lower bound is above the upper bound.';
comment on constraint emotional_arcs_check1 on public.emotional_arcs is
    'Ending intensity: the lower bound is above the upper bound.';
alter table public.emotional_arcs enable row level security;
create policy "Signed-in users read arcs" on public.emotional_arcs for select to authenticated using (true);

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
-- Not valid: rows from before these rules stay as they are until somebody saves them.
alter table public.training_topics
    add constraint training_topics_name_line check (public.is_line(name)) not valid,
    add constraint training_topics_category_line check (public.is_line(category)) not valid,
    add constraint training_topics_description_note check (public.is_note(description, 20000)) not valid,
    add constraint training_topics_typical_question_examples_list check (public.is_text_list(typical_question_examples)) not valid,
    add constraint training_topics_key_concepts_list check (public.is_text_list(key_concepts)) not valid,
    add constraint training_topics_suitable_personas_list check (public.is_text_list(suitable_personas)) not valid,
    add constraint training_topics_suitable_emotional_arcs_list check (public.is_text_list(suitable_emotional_arcs)) not valid;
comment on table public.training_topics is 'What a conversation is about';
comment on constraint training_topics_complexity_level_check on public.training_topics is
    'Complexity: beginner, intermediate or advanced.';
comment on constraint training_topics_category_check on public.training_topics is 'Category: write something.';
alter table public.training_topics enable row level security;
create policy "Signed-in users read topics" on public.training_topics for select to authenticated using (true);

-- The prompts (Jinja) of an arc, by version. What is saved is a new version; only whether new batches may take it
-- changes later.
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
-- Not valid: rows from before these rules stay as they are until somebody saves them.
alter table public.prompt_templates
    add constraint prompt_templates_name_line check (public.is_line(name)) not valid,
    add constraint prompt_templates_description_note check (public.is_note(description, 20000)) not valid,
    add constraint prompt_templates_system_prompt_text check (public.is_text(system_prompt, 100000)) not valid,
    add constraint prompt_templates_user_prompt_text check (public.is_text(user_prompt, 100000)) not valid;
comment on table public.prompt_templates is
    'Jinja prompts; a batch takes for each arc the newest active version that ships with Bright Run or that its analyst saved';
comment on constraint prompt_templates_emotional_arc_id_fkey on public.prompt_templates is
    'This arc is not there any more. Reload the list.';
create index idx_prompt_templates_arc on public.prompt_templates (emotional_arc_id, version desc) where is_active;
alter table public.prompt_templates enable row level security;
create policy "Signed-in users read templates" on public.prompt_templates for select to authenticated using (true);

-- One respect in which several conversations of a combination differ, and the values that it may have. Its values come
-- into the prompts of every batch, so an analyst sees and uses those that ship with Bright Run and their own, and
-- saving one that ships makes a copy of it, which stands in its place for that analyst.
create table public.variation_axes (
    id uuid primary key default gen_random_uuid(),
    axis_key text not null check (axis_key ~ '^[a-z0-9_]{1,100}$'),
    name text not null constraint variation_axes_name_line check (public.is_line(name)),
    values text[] not null constraint variation_axes_values_lines check (public.is_line_list(values)),
    is_active boolean not null default true,
    created_by uuid references auth.users (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint variation_axes_key_taken unique nulls not distinct (created_by, axis_key)
);
comment on table public.variation_axes is 'In what the prompts of several conversations of one combination differ';
comment on column public.variation_axes.created_by is 'Whose it is; null: it ships with Bright Run';
comment on constraint variation_axes_values_lines on public.variation_axes is
    'Values: 1 to 50 different ones, each of 1 to 200 characters on one line, some of them visible, no control or hidden characters.';
comment on constraint variation_axes_key_taken on public.variation_axes is 'You have an axis with this key. Choose another one.';
alter table public.variation_axes enable row level security;
create policy "Analysts read what ships and their own axes" on public.variation_axes for select to authenticated
    using (created_by is null or created_by = (select auth.uid()));

-- Who last saved a persona, an arc or a topic, and who saved a version of a template. What ships with Bright Run has
-- no row. Not a column beside the texts, because everybody reads those; without a reference to the user, because what
-- a user saved does not become everybody's when they go.
create table public.scaffolding_authors (
    record_id uuid primary key,
    kind text not null,
    created_by uuid not null,
    bytes integer not null
);
comment on table public.scaffolding_authors is
    'Who saved what of the scaffolding. Delete the row of a template''s version to offer it to everybody, like those that ship with Bright Run';
create index idx_scaffolding_authors_created_by on public.scaffolding_authors (created_by);
alter table public.scaffolding_authors enable row level security;
create policy "Analysts read what they saved" on public.scaffolding_authors for select to authenticated
    using (created_by = (select auth.uid()));

-- How many characters the texts of a record have together, in whatever lists and objects they stand.
create function public.count_characters(record jsonb) returns bigint
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(sum(case jsonb_typeof(f.value)
        when 'string' then length(f.value #>> '{}')
        when 'array' then (select sum(length(e.entry)) from jsonb_array_elements_text(f.value) e(entry))
        when 'object' then (select sum(length(e.key) + length(e.value)) from jsonb_each_text(f.value) e)
    end), 0)::bigint
    from jsonb_each(record) f where f.key not in ('id', 'created_at', 'updated_at')
$$;

-- Refuses a persona, arc or topic whose texts are longer together than what leaves room for the rest of a prompt
-- (core/domain/scaffolding/template_filling.py). A trigger rather than a constraint: a record that was longer before
-- can still be shortened or switched off.
create function public.check_record_length() returns trigger
language plpgsql set search_path = ''
as $$
declare
    most constant integer := 50000;
    characters constant bigint := public.count_characters(to_jsonb(new));
begin
    if characters > most and (tg_op = 'INSERT' or characters > public.count_characters(to_jsonb(old))) then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'All texts together: at most %s characters, not %s.', to_char(most, 'FM999,999,999'), to_char(characters, 'FM999,999,999'));
    end if;
    return new;
end
$$;
create trigger check_record_length before insert or update on public.personas
    for each row execute function public.check_record_length();
create trigger check_record_length before insert or update on public.emotional_arcs
    for each row execute function public.check_record_length();
create trigger check_record_length before insert or update on public.training_topics
    for each row execute function public.check_record_length();

-- Refuses prompts that cannot be read and filled at once. A trigger rather than a constraint: it applies to every new
-- text, and an older version that is larger can still be switched off.
create function public.check_template_size() returns trigger
language plpgsql set search_path = ''
as $$
declare
    max_characters constant integer := 50000;
begin
    if greatest(length(new.system_prompt), length(new.user_prompt)) > max_characters then
        raise exception using errcode = 'check_violation', constraint = 'prompt_templates_size', message = format(
            'a system prompt and a user prompt have at most %s characters each.', max_characters);
    end if;
    return new;
end
$$;
create trigger check_template_size before insert or update of system_prompt, user_prompt on public.prompt_templates
    for each row execute function public.check_template_size();

-- Notes who saved a record, and refuses it beyond what an analyst may have: 1,000 records of a kind, 10 MB of all
-- kinds. A row counts for whoever saved it last, so nobody takes the room of others by changing their rows. What the
-- system saves counts for nobody.
create function public.note_author() returns trigger
language plpgsql set search_path = ''
as $$
declare
    most_rows constant integer := 1000;
    most_bytes constant integer := 10000000;
    what constant text := case tg_table_name when 'prompt_templates' then 'versions of templates' when 'emotional_arcs' then 'arcs'
        when 'training_topics' then 'topics' when 'variation_axes' then 'axes' else 'personas' end;
    size constant integer := octet_length(to_jsonb(new)::text);
    taken record;
begin
    if auth.uid() is null then
        return null;
    end if;
    select count(*) filter (where s.kind = tg_table_name) as rows, coalesce(sum(s.bytes), 0) as bytes into taken
    from public.scaffolding_authors s where s.created_by = auth.uid() and s.record_id <> new.id;
    if taken.rows >= most_rows then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'You have saved %s %s, and 1,000 is the most. Change one that is yours.', taken.rows, what);
    end if;
    if taken.bytes + size > most_bytes then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What you have saved of all kinds would be larger than 10 MB together. Shorten some of it.';
    end if;
    insert into public.scaffolding_authors (record_id, kind, created_by, bytes) values (new.id, tg_table_name, auth.uid(), size)
    on conflict (record_id) do update set kind = excluded.kind, created_by = excluded.created_by, bytes = excluded.bytes;
    return null;
end
$$;
create trigger note_author after insert or update on public.personas for each row execute function public.note_author();
create trigger note_author after insert or update on public.emotional_arcs for each row execute function public.note_author();
create trigger note_author after insert or update on public.training_topics for each row execute function public.note_author();
create trigger note_author after insert on public.prompt_templates for each row execute function public.note_author();
create trigger note_author after insert or update on public.variation_axes for each row execute function public.note_author();

-- The answer for whoever sent what the database refused: {"outcome": "rejected", "reason"}. The reason is the comment
-- on the violated constraint; else the message of one of our functions; else what the constraint's name says about
-- it.
create function public.explain_error(table_name text, column_name text, constraint_name text, message text) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason', coalesce(
        (select obj_description(c.oid, 'pg_constraint') from pg_catalog.pg_constraint c
            where c.conname = constraint_name
                and c.conrelid = to_regclass(format('public.%I', table_name)) limit 1),
        case
            when constraint_name in ('in_words', 'prompt_templates_size') then message  -- Raised by a function of ours.
            when message like 'value too long for type %' then 'A text is too long: a model and a category have at most 100 characters.'
            when message = 'numeric field overflow' then 'A sum of money is less than $1,000,000.'
            when constraint_name like '%\_key\_key' or constraint_name like '%\_key\_version\_key'
                then 'This key is taken. Choose another one.'
            when constraint_name like '%\_key\_check' then 'A key has 1 to 100 of the characters a-z, 0-9 and _.'
            when constraint_name like '%name\_check' then 'The name is empty.'
            when constraint_name like '%intensity%\_check' then 'An intensity lies between 0 and 1.'
            when constraint_name like '%\_pkey' then 'This id is taken. Reload, and add it anew.'
            when constraint_name like '%\_line' then label || ': 1 to 200 characters on one line, some of them visible, no control or hidden characters.'
            when constraint_name like '%prompt\_text' then label || ': 1 to 100,000 characters, no control or hidden characters.'
            when constraint_name like '%\_text' then label || ': 1 to 20,000 characters, some of them visible, no control or hidden characters.'
            when constraint_name like '%\_note' then label || ': at most 20,000 characters, no control or hidden characters.'
            when constraint_name like '%\_list'
                then label || ': a list of at most 100 texts, of at most 2,000 characters each, some of them visible, no control or hidden characters.'
            when constraint_name like '%\_map'
                then label || ': at most 100 texts by name, such as {"age": "41"}, of at most 2,000 characters each.'
            when coalesce(column_name, '') <> '' then initcap(left(column_name, 1)) || replace(substr(column_name, 2), '_', ' ')
                || ': write something.'
        end,
        'An id, a time or a number cannot be read. Reload, and try again.'
    ))
    from (
        select initcap(left(field, 1)) || replace(substr(field, 2), '_', ' ') as label
        from (select regexp_replace(substr(constraint_name, length(table_name) + 2), '_[a-z]+$', '') as field) f
    ) l
$$;

-- The answer to saving a record that is not as the analyst saw it: somebody else has changed it (conflict), or it is
-- gone.
create function public.refuse_stale_save(row_exists boolean) returns jsonb
language sql immutable set search_path = ''
as $$
    select case when row_exists
        then jsonb_build_object('outcome', 'conflict', 'reason', 'Somebody else has changed it since you opened it.')
        else jsonb_build_object('outcome', 'rejected', 'reason', 'It is not there any more. Reload the list.')
    end
$$;

-- Saves one persona; who may, and what it returns, stands at the head of this file.
create function public.save_persona(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.personas;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.personas, public.require_shape(payload, 'public.personas'));
    if given.updated_at is null then
        insert into public.personas (
            id, persona_key, name, archetype, age_range, occupation, income_range, demographics, financial_background,
            financial_situation, communication_style, emotional_baseline, typical_questions, common_concerns,
            language_patterns, is_active
        ) values (
            given.id, given.persona_key, given.name, given.archetype, given.age_range, given.occupation, given.income_range,
            given.demographics, given.financial_background, given.financial_situation, given.communication_style,
            given.emotional_baseline, given.typical_questions, given.common_concerns, given.language_patterns,
            given.is_active
        );
    else
        update public.personas p
        set name = given.name, archetype = given.archetype, age_range = given.age_range, occupation = given.occupation,
            income_range = given.income_range, demographics = given.demographics,
            financial_background = given.financial_background, financial_situation = given.financial_situation,
            communication_style = given.communication_style, emotional_baseline = given.emotional_baseline,
            typical_questions = given.typical_questions, common_concerns = given.common_concerns,
            language_patterns = given.language_patterns, is_active = given.is_active, updated_at = clock_timestamp()
        where p.id = given.id and p.updated_at = given.updated_at;
        if not found then
            return public.refuse_stale_save(exists (select 1 from public.personas p where p.id = given.id));
        end if;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Says which of the keys that an arc or a topic names as suitable nobody has; null where all are there.
create function public.refuse_unknown_keys(persona_keys text[], arc_keys text[], topic_keys text[]) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'Suitable ' || string_agg(u.words, '; suitable ' order by u.words)
        || '. Use keys that the Scaffolding page lists, one per line.')
    from (
        select named.what || ': ' || left(string_agg(left(named.key, 60), ', ' order by named.key), 100) || ' does not exist' as words
        from (
            select 'personas' as what, k as key from unnest(persona_keys) k
            where not exists (select 1 from public.personas p where p.persona_key = k)
            union all select 'emotional arcs', k from unnest(arc_keys) k
            where not exists (select 1 from public.emotional_arcs a where a.arc_key = k)
            union all select 'topics', k from unnest(topic_keys) k
            where not exists (select 1 from public.training_topics t where t.topic_key = k)
        ) named
        group by named.what
    ) u
    having count(*) > 0
$$;

-- Saves one arc; who may, and what it returns, stands at the head of this file.
create function public.save_arc(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.emotional_arcs;
    refusal jsonb;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.emotional_arcs, public.require_shape(payload, 'public.emotional_arcs'));
    refusal := public.refuse_unknown_keys(given.suitable_personas, null, given.suitable_topics);
    if refusal is not null then
        return refusal;
    end if;
    if given.updated_at is null then
        insert into public.emotional_arcs (
            id, arc_key, name, description, conversation_category, tier, starting_emotion, starting_intensity_min,
            starting_intensity_max, ending_emotion, ending_intensity_min, ending_intensity_max, arc_strategy, key_principles,
            characteristic_phrases, response_techniques, avoid_tactics, typical_turn_count_min, typical_turn_count_max,
            complexity_baseline, suitable_personas, suitable_topics, is_active
        ) values (
            given.id, given.arc_key, given.name, given.description, given.conversation_category, given.tier,
            given.starting_emotion, given.starting_intensity_min, given.starting_intensity_max, given.ending_emotion,
            given.ending_intensity_min, given.ending_intensity_max, given.arc_strategy, given.key_principles,
            given.characteristic_phrases, given.response_techniques, given.avoid_tactics, given.typical_turn_count_min,
            given.typical_turn_count_max, given.complexity_baseline, given.suitable_personas, given.suitable_topics,
            given.is_active
        );
    else
        update public.emotional_arcs a
        set name = given.name, description = given.description, conversation_category = given.conversation_category,
            tier = given.tier, starting_emotion = given.starting_emotion,
            starting_intensity_min = given.starting_intensity_min, starting_intensity_max = given.starting_intensity_max,
            ending_emotion = given.ending_emotion, ending_intensity_min = given.ending_intensity_min,
            ending_intensity_max = given.ending_intensity_max, arc_strategy = given.arc_strategy,
            key_principles = given.key_principles, characteristic_phrases = given.characteristic_phrases,
            response_techniques = given.response_techniques, avoid_tactics = given.avoid_tactics,
            typical_turn_count_min = given.typical_turn_count_min, typical_turn_count_max = given.typical_turn_count_max,
            complexity_baseline = given.complexity_baseline, suitable_personas = given.suitable_personas,
            suitable_topics = given.suitable_topics, is_active = given.is_active, updated_at = clock_timestamp()
        where a.id = given.id and a.updated_at = given.updated_at;
        if not found then
            return public.refuse_stale_save(exists (select 1 from public.emotional_arcs a where a.id = given.id));
        end if;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Saves one topic; who may, and what it returns, stands at the head of this file.
create function public.save_topic(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.training_topics;
    refusal jsonb;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.training_topics, public.require_shape(payload, 'public.training_topics'));
    refusal := public.refuse_unknown_keys(given.suitable_personas, given.suitable_emotional_arcs, null);
    if refusal is not null then
        return refusal;
    end if;
    if given.updated_at is null then
        insert into public.training_topics (
            id, topic_key, name, category, description, complexity_level, typical_question_examples, key_concepts,
            suitable_personas, suitable_emotional_arcs, requires_specialist, is_active
        ) values (
            given.id, given.topic_key, given.name, given.category, given.description, given.complexity_level,
            given.typical_question_examples, given.key_concepts, given.suitable_personas, given.suitable_emotional_arcs,
            given.requires_specialist, given.is_active
        );
    else
        update public.training_topics t
        set name = given.name, category = given.category, description = given.description,
            complexity_level = given.complexity_level, typical_question_examples = given.typical_question_examples,
            key_concepts = given.key_concepts, suitable_personas = given.suitable_personas,
            suitable_emotional_arcs = given.suitable_emotional_arcs, requires_specialist = given.requires_specialist,
            is_active = given.is_active, updated_at = clock_timestamp()
        where t.id = given.id and t.updated_at = given.updated_at;
        if not found then
            return public.refuse_stale_save(exists (select 1 from public.training_topics t where t.id = given.id));
        end if;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Saves a new version of a template, based on its newest (`based_on`; null for a new template). Conflict: somebody
-- has saved another version since.
create function public.save_template(payload jsonb, based_on integer) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.prompt_templates;
    newest public.prompt_templates;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.prompt_templates, public.require_shape(payload, 'public.prompt_templates'));
    if coalesce(trim(given.system_prompt), '') = '' or coalesce(trim(given.user_prompt), '') = '' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A template needs a system prompt and a user prompt.');
    end if;
    select t.* into newest from public.prompt_templates t
    where t.template_key = given.template_key order by t.version desc limit 1;
    if based_on is null and newest.id is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'This key is taken. Choose another one.');
    end if;
    if newest.version is distinct from based_on then
        return jsonb_build_object('outcome', 'conflict', 'reason', case when newest.id is null
            then 'There is no template of this key any more. Reload the list.'
            else format('Version %s was saved since you opened version %s.', newest.version, based_on) end);
    end if;
    insert into public.prompt_templates (
        id, template_key, version, name, description, emotional_arc_id, system_prompt, user_prompt, is_active
    ) values (
        given.id, given.template_key, coalesce(newest.version, 0) + 1, given.name, given.description,
        coalesce(newest.emotional_arc_id, given.emotional_arc_id), given.system_prompt, given.user_prompt, true
    );
    return jsonb_build_object('outcome', 'saved', 'id', given.id);
exception
    when unique_violation then  -- Two saved the same version at the same moment.
        return jsonb_build_object('outcome', 'conflict', 'reason', 'Another version was saved at the same moment.');
    when data_exception or integrity_constraint_violation then
        get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
        return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

-- Says whether new batches may take a version. What is offered to its author alone is switched by its author alone;
-- what is offered to everybody, by anybody, like the other scaffolding.
create function public.set_template_active(template_id uuid, active boolean) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    if active is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Say whether new batches may take it: true or false.');
    end if;
    if exists (
        select 1 from public.scaffolding_authors s where s.record_id = template_id and s.created_by <> auth.uid()
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Somebody else saved this version, and their batches alone take it. Save it as a version of your own to use it.');
    end if;
    update public.prompt_templates t set is_active = active, updated_at = clock_timestamp() where t.id = template_id;
    if not found then
        return public.refuse_stale_save(false);
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', template_id);
exception when integrity_constraint_violation then  -- Its texts are of before these checks.
    return jsonb_build_object('outcome', 'rejected', 'reason',
        'This version holds texts that are not allowed any more. Save a new version of it.');
end
$$;

-- The templates that a new batch of the caller may take: active, and shipped with Bright Run or saved by the caller;
-- for each arc at most ten, in the order in which they are taken. Somebody else's templates are used only where they
-- are named (in a retry or a comparison) or saved anew.
create function public.list_offered_templates() returns setof public.prompt_templates
language sql stable security definer set search_path = ''
as $$
    select t.* from public.prompt_templates t
    join (
        select o.id, row_number() over (partition by o.emotional_arc_id order by o.version desc, o.created_at desc) as place
        from public.prompt_templates o
        left join public.scaffolding_authors s on s.record_id = o.id
        where o.is_active and (s.record_id is null or s.created_by = auth.uid())
    ) p on p.id = t.id
    where p.place <= 10 and auth.uid() is not null
    order by t.emotional_arc_id, p.place
$$;

-- The axes that a new batch of the caller varies its conversations by: the active ones that ship with Bright Run or
-- are the caller's own, whose copies stand in place of those they were made from; at most ten.
create function public.list_offered_axes() returns setof public.variation_axes
language sql stable security definer set search_path = ''
as $$
    select x.* from public.variation_axes x
    where x.is_active and auth.uid() is not null and (x.created_by = auth.uid() or (x.created_by is null and not exists (
        select 1 from public.variation_axes own where own.created_by = auth.uid() and own.axis_key = x.axis_key
    )))
    order by x.axis_key limit 10
$$;

-- Saves one axis as the caller's own; what it returns stands at the head of this file. One that ships stays as it is,
-- and the id is that of the caller's copy.
create function public.save_axis(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    most_active constant integer := 10;
    given public.variation_axes;
    target public.variation_axes;
    owner constant uuid := auth.uid();
    saved_id uuid;
    at_table text;
    at_column text;
    violated text;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.variation_axes, public.require_shape(payload, 'public.variation_axes'));
    if given.updated_at is not null then
        select x.* into target from public.variation_axes x
        where x.id = given.id and (x.created_by is null or x.created_by = owner) for update;
        if not found or target.updated_at <> given.updated_at then
            return public.refuse_stale_save(found);
        end if;
        given.axis_key := target.axis_key;
    end if;
    if given.is_active and (
        select count(*) from public.list_offered_axes() x where x.axis_key <> given.axis_key
    ) >= most_active then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('At most %s axes are active at once. Deactivate one first.', most_active));
    end if;
    if target.created_by is not null then
        update public.variation_axes x
        set name = given.name, values = given.values, is_active = given.is_active, updated_at = clock_timestamp()
        where x.id = target.id returning x.id into saved_id;
    else
        insert into public.variation_axes (id, axis_key, name, values, is_active, created_by)
        values (case when target.id is null then given.id else gen_random_uuid() end, given.axis_key, given.name, given.values,
            given.is_active, owner)
        returning id into saved_id;
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', saved_id);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;
