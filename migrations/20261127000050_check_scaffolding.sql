-- The database checks what readers of the scaffolding demand: texts that are texts, of a length that somebody reads, without
-- control characters. Any analyst may edit the scaffolding and everybody reads it, so one row that cannot be read would be
-- everybody's.
--
-- The checks are constraints, so that no path gets round them. What earlier versions let in is mended where nothing is lost by it
-- (41 becomes "41"); the rest stays as it is (NOT VALID), and a reader leaves out what it cannot read, and says so.

-- Says whether a text is one line that has something to see: a name, a key, a model.
create function public.is_line(value text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 800 or length(value) > 200 then false
        else value ~ '[^\s\u00a0\u200b-\u200d\u2060\u3000\ufeff]' and value !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' end, false)
$$;

-- Says whether a text of some lines is empty, or fit to be kept: at most so many characters, no control characters but tabs and
-- ends of lines.
create function public.is_note(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 4::bigint * most or length(value) > most then false
        else value !~ '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f]' end, false)
$$;

-- The same of a text that must say something.
create function public.is_text(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$ select public.is_note(value, most) and value ~ '\S' $$;

-- Says whether a list holds at most a hundred texts, of at most 2,000 characters each.
create function public.is_text_list(given text[]) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when cardinality(given) = 0 then true
        -- "[5:6]={a,b}" has one dimension, too, and is sent as a list within a list.
        when array_ndims(given) <> 1 or array_lower(given, 1) <> 1 or cardinality(given) > 100 then false
        else (select bool_and(public.is_note(entry, 2000)) from unnest(given) entry) end, false)
$$;

-- Says whether an object holds at most a hundred texts by name: {"age": "41"}, not {"age": 41}.
create function public.is_text_map(given jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when jsonb_typeof(given) <> 'object' then false else (
        select count(*) <= 100 and coalesce(bool_and(
            public.is_line(e.key) and jsonb_typeof(e.value) = 'string' and public.is_note(e.value #>> '{}', 2000)), true)
        from jsonb_each(given) e
    ) end, false)
$$;

create function pg_temp.mend_list(given text[]) returns text[] language sql as $$
    select coalesce(array_agg(left(regexp_replace(e.entry, '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f]', ' ', 'g'), 2000)), '{}')
    from (select entry from unnest(given) entry where entry is not null limit 100) e
$$;
update public.personas p
set demographics = coalesce((
    select jsonb_object_agg(e.key, e.value #>> '{}') from jsonb_each(p.demographics) e where jsonb_typeof(e.value) <> 'null'
), '{}')
where not public.is_text_map(p.demographics);
update public.personas p
set typical_questions = pg_temp.mend_list(p.typical_questions), common_concerns = pg_temp.mend_list(p.common_concerns),
    language_patterns = pg_temp.mend_list(p.language_patterns)
where not (public.is_text_list(p.typical_questions) and public.is_text_list(p.common_concerns)
    and public.is_text_list(p.language_patterns));
update public.emotional_arcs a
set key_principles = pg_temp.mend_list(a.key_principles), characteristic_phrases = pg_temp.mend_list(a.characteristic_phrases),
    response_techniques = pg_temp.mend_list(a.response_techniques), avoid_tactics = pg_temp.mend_list(a.avoid_tactics),
    suitable_personas = pg_temp.mend_list(a.suitable_personas), suitable_topics = pg_temp.mend_list(a.suitable_topics)
where not (public.is_text_list(a.key_principles) and public.is_text_list(a.characteristic_phrases)
    and public.is_text_list(a.response_techniques) and public.is_text_list(a.avoid_tactics)
    and public.is_text_list(a.suitable_personas) and public.is_text_list(a.suitable_topics));
update public.training_topics t
set typical_question_examples = pg_temp.mend_list(t.typical_question_examples),
    key_concepts = pg_temp.mend_list(t.key_concepts), suitable_personas = pg_temp.mend_list(t.suitable_personas),
    suitable_emotional_arcs = pg_temp.mend_list(t.suitable_emotional_arcs)
where not (public.is_text_list(t.typical_question_examples) and public.is_text_list(t.key_concepts)
    and public.is_text_list(t.suitable_personas) and public.is_text_list(t.suitable_emotional_arcs));

-- The name of a constraint says what it asks for: COLUMN_line, _text, _note (a text that may be empty), _list, _map.
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
alter table public.training_topics
    add constraint training_topics_name_line check (public.is_line(name)) not valid,
    add constraint training_topics_category_line check (public.is_line(category)) not valid,
    add constraint training_topics_description_note check (public.is_note(description, 20000)) not valid,
    add constraint training_topics_typical_question_examples_list check (public.is_text_list(typical_question_examples)) not valid,
    add constraint training_topics_key_concepts_list check (public.is_text_list(key_concepts)) not valid,
    add constraint training_topics_suitable_personas_list check (public.is_text_list(suitable_personas)) not valid,
    add constraint training_topics_suitable_emotional_arcs_list check (public.is_text_list(suitable_emotional_arcs)) not valid;
alter table public.prompt_templates
    add constraint prompt_templates_name_line check (public.is_line(name)) not valid,
    add constraint prompt_templates_description_note check (public.is_note(description, 20000)) not valid,
    add constraint prompt_templates_system_prompt_text check (public.is_text(system_prompt, 100000)) not valid,
    add constraint prompt_templates_user_prompt_text check (public.is_text(user_prompt, 100000)) not valid;

-- What other constraints ask for stands with them, for whoever breaks one.
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
comment on constraint training_topics_complexity_level_check on public.training_topics is
    'Complexity: beginner, intermediate or advanced.';
comment on constraint prompt_templates_emotional_arc_id_fkey on public.prompt_templates is
    'This arc is not there any more. Reload the list.';

-- What an error of an edit or a submission means to whoever filled in the form: {"outcome": "rejected", "reason"}. Called in the
-- handler of data exceptions and violated constraints, with what `get stacked diagnostics` says of it.
create function public.explain_error(table_name text, column_name text, constraint_name text, message text) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason', coalesce(
        (select obj_description(c.oid, 'pg_constraint') from pg_catalog.pg_constraint c
            where c.conname = constraint_name
                and c.conrelid = to_regclass(format('public.%I', table_name)) limit 1),
        case
            when constraint_name = 'in_words' then message  -- Raised by a function of ours.
            when message = 'numeric field overflow' then 'A sum of money is less than $1,000,000.'
            when constraint_name like '%\_key\_key' or constraint_name like '%\_key\_version\_key'
                then 'This key is taken. Choose another one.'
            when constraint_name like '%\_key\_check' then 'A key has 1 to 100 of the characters a-z, 0-9 and _.'
            when constraint_name like '%name\_check' then 'The name is empty.'
            when constraint_name like '%intensity%\_check' then 'An intensity lies between 0 and 1.'
            when constraint_name like '%\_pkey' then 'This id is taken. Reload, and add it anew.'
            when constraint_name like '%\_line' then label || ': 1 to 200 characters on one line, no control characters.'
            when constraint_name like '%prompt\_text' then label || ': 1 to 100,000 characters, no control characters.'
            when constraint_name like '%\_text' then label || ': 1 to 20,000 characters, no control characters.'
            when constraint_name like '%\_note' then label || ': at most 20,000 characters, no control characters.'
            when constraint_name like '%\_list'
                then label || ': a list of at most 100 texts, of at most 2,000 characters each, no control characters.'
            when constraint_name like '%\_map'
                then label || ': at most 100 texts by name, such as {"age": "41"}, of at most 2,000 characters each.'
            when coalesce(column_name, '') <> '' then initcap(left(column_name, 1)) || replace(substr(column_name, 2), '_', ' ')
                || ': write something.'
        end,
        'This cannot be read: ' || left(message, 300)
    ))
    from (
        select initcap(left(field, 1)) || replace(substr(field, 2), '_', ' ') as label
        from (select regexp_replace(substr(constraint_name, length(table_name) + 2), '_[a-z]+$', '') as field) f
    ) l
$$;

create or replace function public.save_persona(payload jsonb) returns jsonb
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
    given := jsonb_populate_record(null::public.personas, public.require_object(payload));
    if given.updated_at is null then
        perform public.require_room((select count(*) from public.personas), 'personas');
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

create or replace function public.save_arc(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.emotional_arcs;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.emotional_arcs, public.require_object(payload));
    if given.updated_at is null then
        perform public.require_room((select count(*) from public.emotional_arcs), 'arcs');
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

create or replace function public.save_topic(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.training_topics;
    at_table text;
    at_column text;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    given := jsonb_populate_record(null::public.training_topics, public.require_object(payload));
    if given.updated_at is null then
        perform public.require_room((select count(*) from public.training_topics), 'topics');
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

create or replace function public.save_template(payload jsonb, based_on integer) returns jsonb
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
    given := jsonb_populate_record(null::public.prompt_templates, public.require_object(payload));
    if coalesce(trim(given.system_prompt), '') = '' or coalesce(trim(given.user_prompt), '') = '' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A template needs a system prompt and a user prompt.');
    end if;
    perform public.require_room((select count(*) from public.prompt_templates), 'versions of templates');
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

-- Returns what was given if it is an object of a size that somebody typed; else raises a data exception, in words.
create function public.require_object(given jsonb) returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    if jsonb_typeof(given) is distinct from 'object' then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What is sent must be an object: a value for each name.';
    end if;
    if pg_column_size(given) > 4000000 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What is sent is larger than 4 MB.';
    end if;
    return given;
end
$$;

-- A table of the scaffolding holds as many rows as the API returns in one answer, so no list is ever cut short unseen, and
-- nobody can fill everybody's lists.
create function public.require_room(taken bigint, what text) returns void
language plpgsql immutable set search_path = ''
as $$
begin
    if taken >= 1000 then
        raise invalid_parameter_value using constraint = 'in_words',
            message = format('There are %s %s already, and 1,000 is the most. Change one that is there.', taken, what);
    end if;
end
$$;

create or replace function public.set_template_active(template_id uuid, active boolean) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    if active is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Say whether new batches may take it: true or false.');
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

drop function public.explain_violation(text, text);
revoke execute on function
    public.is_line(text), public.is_note(text, integer), public.is_text(text, integer), public.is_text_list(text[]),
    public.is_text_map(jsonb), public.explain_error(text, text, text, text), public.require_object(jsonb),
    public.require_room(bigint, text), public.refuse_stale_save(boolean)
    from public, anon, authenticated;
-- The service role writes tables itself, and so evaluates their constraints.
grant execute on function
    public.is_line(text), public.is_note(text, integer), public.is_text(text, integer), public.is_text_list(text[]),
    public.is_text_map(jsonb)
    to service_role;
