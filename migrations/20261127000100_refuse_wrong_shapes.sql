-- What is sent has the shape that its record demands: a number is no text, and [1, 2] is no list of texts. A name has something to
-- see. Who saved what is kept, for its author alone: so nobody takes the room of others, and a batch is made with the templates that
-- ship with Bright Run and its analyst's own, never with what somebody else has put beside or above them.

-- Says whether a text has a character that can be seen. The ranges are Unicode's ignorable characters, its spaces, its blanks that
-- count as letters or symbols, what formats hieroglyphs, and what nobody has assigned.
create function public.is_visible(value text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(value ~ ('[^\s\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f'
        '\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb'
        '\ufffe\uffff\U00013430-\U0001345f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U0001fffe\U0001ffff'
        '\U0002fffe\U0002ffff\U0003fffe-\U0010ffff]'), false)
$$;

-- What carries text that nobody sees, as a pattern: tag characters, planes without characters, selectors of a variant where there
-- is none to select (in a row; of an ideograph's variants after anything else).
create function public.hidden_text() returns text
language sql immutable parallel safe set search_path = ''
as $$
    select '[\U0003fffe-\U000e00ff\U000e01f0-\U0010ffff]'
        '|(?<=[\ufe00-\ufe0f\u180b-\u180d\u180f])[\ufe00-\ufe0f\u180b-\u180d\u180f]'
        '|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd])[\U000e0100-\U000e01ef]'
$$;

-- A text without ends of lines, and without what nobody sees in it or what turns the direction of what follows: a blank stands in its
-- place. What joins letters stays in the scripts that join them.
create function public.clean_line(value text) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select regexp_replace(value, '[\u0001-\u001f\u007f-\u009f\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e'
        '\u2060-\u206f\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001345f'
        '\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff]+'
        '|(?<![^\s\u0021-\u024f\u200c\u200d])[\u200c\u200d]|(?<!\S)\u00ad|\u00ad(?![^\s\u00ad])|' || public.hidden_text(), ' ', 'g')
$$;

-- A line shows what it holds: nothing in it is hidden or turns the direction of what follows.
create or replace function public.is_line(value text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 800 or length(value) > 200 then false
        else public.is_visible(value) and public.clean_line(value) = value end, false)
$$;

create or replace function public.make_line(value text, most integer) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select case when public.is_line(line) then line else 'not given' end
    from (select btrim(public.clean_line(left(btrim(regexp_replace(public.clean_line(left(value, 1000)), ' +', ' ', 'g')), most))))
        l(line)
$$;

-- A text of some lines may be in a script that is written from the right, and so have marks of direction, but no overrides.
create or replace function public.is_note(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 4::bigint * most or length(value) > most then false
        else value !~ ('[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]|' || public.hidden_text())
        end, false)
$$;

create or replace function public.is_text(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$ select public.is_note(value, most) and public.is_visible(value) $$;

create or replace function public.is_text_list(given text[]) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when cardinality(given) = 0 then true
        -- "[5:6]={a,b}" has one dimension, too, and is sent as a list within a list.
        when array_ndims(given) <> 1 or array_lower(given, 1) <> 1 or cardinality(given) > 100 then false
        else (select bool_and(public.is_text(entry, 2000)) from unnest(given) entry) end, false)
$$;

-- A row that breaks a check could never be changed again, so what the old rule let in is mended where nobody can edit it.
update public.batches b
set name = case when public.is_line(b.name) then b.name else public.make_line(b.name, 200) end,
    model = case when public.is_line(b.model) then b.model else public.make_line(b.model, 100) end
where not (public.is_line(b.name) and public.is_line(b.model));
update public.imports i set name = public.make_line(i.name, 200) where not public.is_line(i.name);
update public.experiments e set name = public.make_line(e.name, 200) where not public.is_line(e.name);
update public.prompt_templates t set name = public.make_line(t.name, 200)
where not public.is_line(t.name) and public.is_note(t.description, 20000)
    and public.is_text(t.system_prompt, 100000) and public.is_text(t.user_prompt, 100000);
comment on constraint batches_model_line on public.batches is
    'Model: 1 to 100 characters on one line, some of them visible, no control or hidden characters.';

-- What is sent to a function, as rows of tables are: a name and a type for each value.
create type public.batch_request as (
    name text, conversation_category text, persona_ids uuid[], arc_ids uuid[], topic_ids uuid[], "limit" integer,
    skip_existing text, picks integer[], without_templates uuid[], model text, max_tokens integer, effort text,
    structured_outputs boolean, concurrency integer, error_handling text, raise_max_tokens boolean, budget_usd numeric,
    canary_items integer, estimated_seconds double precision, estimated_cost_usd numeric
);
create type public.batch_changes as (
    name text, model text, max_tokens integer, effort text, structured_outputs boolean, template_id uuid
);
create type public.experiment_request as (batch_id uuid, scope text, change jsonb, name text, items jsonb, "limit" integer);

-- Returns what was given if it is an object, and each value of it that the shape (a table or a type) knows is of the kind that it has
-- there; else raises a data exception, in words. PostgreSQL alone would make a text of an object, and '1' of 1.
create function public.require_shape(given jsonb, shape regclass) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    wrong text;
begin
    perform public.require_object(given);
    select initcap(left(k.name, 1)) || replace(substr(k.name, 2), '_', ' ') || ': ' || case
        when fits and k.is_list then 'a list of whole numbers' when fits then 'a whole number'
        when k.is_list then 'a list of ' || k.kind || 's' when k.kind = 'boolean' then 'true or false' else 'a ' || k.kind
    end || ' is asked for' || case when fits then ', of at most 2,147,483,647.' else '.' end into wrong
    from (
        select a.attname::text as name, given -> a.attname::text as value, t.typcategory = 'A' as is_list,
            coalesce(e.oid, t.oid) = 'integer'::regtype as is_whole,
            case coalesce(e.typcategory, t.typcategory) when 'N' then 'number' when 'B' then 'boolean' else 'text' end as kind
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        left join pg_catalog.pg_type e on t.typcategory = 'A' and e.oid = t.typelem
        where a.attrelid = shape and a.attnum > 0 and not a.attisdropped and a.atttypid <> 'jsonb'::regtype
        order by a.attnum
    ) k
    cross join lateral (select case
        when k.is_list then jsonb_typeof(k.value) = 'array' and case k.kind
            when 'number' then not jsonb_path_exists(k.value, 'strict $[*] ? (@.type() != "number")')
            else not jsonb_path_exists(k.value, 'strict $[*] ? (@.type() != "string")') end
        else jsonb_typeof(k.value) = case k.kind when 'text' then 'string' else k.kind end end) s(fits)
    where jsonb_typeof(k.value) <> 'null' and (not fits or (k.is_whole
        and jsonb_path_exists(k.value, 'lax $[*] ? (@ > 2147483647 || @ < -2147483648 || @.floor() != @)')))
    limit 1;
    if found then
        raise invalid_parameter_value using constraint = 'in_words', message = wrong;
    end if;
    return given;
end
$$;

-- Who saved a persona, an arc or a topic last, and who a version of a template: what nobody of here saved has no row. Not a column
-- beside the texts, which everybody reads. Without a reference to the user: what a user saved does not become everybody's when they
-- go.
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
revoke all on public.scaffolding_authors from anon, authenticated;
grant select on public.scaffolding_authors to authenticated;

-- An analyst has room for more than anybody types, whatever others have saved; and what everybody reads stays small enough to be read.
-- A row counts for whoever saved it last, so nobody fills the room of others by what they do to their rows.
create function public.note_author() returns trigger
language plpgsql set search_path = ''
as $$
declare
    most_rows constant integer := 1000;
    most_bytes constant integer := 10000000;
    what constant text := case tg_table_name when 'prompt_templates' then 'versions of templates' when 'emotional_arcs' then 'arcs'
        when 'training_topics' then 'topics' else 'personas' end;
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
drop function public.require_room(bigint, text);

-- The templates that a new batch of the caller may take: active, and shipped with Bright Run or saved by the caller. Of each arc the
-- ten first in the order in which they are taken. Somebody else's are taken only where they are named (a retry, a comparison) or
-- saved anew.
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

-- What is offered to its author alone is switched by its author alone; what is everybody's, by everybody, like the other scaffolding.
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
comment on table public.prompt_templates is
    'Jinja prompts; a batch takes for each arc the newest active version that ships with Bright Run or that its analyst saved';

create or replace function public.explain_error(table_name text, column_name text, constraint_name text, message text) returns jsonb
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
    given := jsonb_populate_record(null::public.emotional_arcs, public.require_shape(payload, 'public.emotional_arcs'));
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
    given := jsonb_populate_record(null::public.training_topics, public.require_shape(payload, 'public.training_topics'));
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


-- As it was, but for the shape of the request and for the templates, which list_offered_templates offers. `without_templates` are
-- those of them that the caller has found to be of no use.
create or replace function public.submit_batch(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    r public.batch_request;
    owner uuid := auth.uid();
    skip text;
    persona_ids uuid[];
    arc_ids uuid[];
    topic_ids uuid[];
    picks integer[];
    arcs integer;
    topics integer;
    most integer;
    templates jsonb;
    missing text;
    new_batch_id uuid;
    planned integer;
    at_table text;
    at_column text;
    violated text;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: a batch belongs to a user.');
    end if;
    r := jsonb_populate_record(null::public.batch_request, public.require_shape(request, 'public.batch_request'));
    skip := r.skip_existing;
    persona_ids := public.read_ids(request -> 'persona_ids', 'personas');
    arc_ids := public.read_ids(request -> 'arc_ids', 'arcs');
    topic_ids := public.read_ids(request -> 'topic_ids', 'topics');
    arcs := cardinality(arc_ids);
    topics := cardinality(topic_ids);
    picks := public.read_picks(request -> 'picks', cardinality(persona_ids)::bigint * arcs * topics);
    most := r."limit";
    if most < 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Limit: at least 1.');
    end if;
    if skip is not null and skip not in ('real', 'any') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'skip_existing is "real", "any" or null.');
    end if;

    select string_agg(w.what, ', ') into missing from (
        select 'persona ' || i as what from unnest(persona_ids) i
        where not exists (select 1 from public.personas p where p.id = i and p.is_active)
        union all
        select 'arc ' || i from unnest(arc_ids) i
        where not exists (
            select 1 from public.emotional_arcs a
            where a.id = i and a.is_active and a.conversation_category = r.conversation_category
        )
        union all
        select 'topic ' || i from unnest(topic_ids) i
        where not exists (select 1 from public.training_topics t where t.id = i and t.is_active)
        limit 10
    ) w;
    if missing is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Not there, not active or of the other category: ' || missing || '. Reload and select again.');
    end if;

    if skip is not null then
        picks := array(
            select c.position
            from unnest(picks) with ordinality c(position, n)
            where not exists (
                select 1 from public.conversations done
                where done.created_by = owner
                    and done.persona_id = persona_ids[1 + c.position / (arcs * topics)]
                    and done.emotional_arc_id = arc_ids[1 + c.position / topics % arcs]
                    and done.training_topic_id = topic_ids[1 + c.position % topics]
                    and done.review_status <> 'rejected' and (skip = 'any' or not done.simulated)
            )
            order by c.n limit most
        );
        if cardinality(picks) = 0 then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'Every combination of this selection has a conversation already; nothing is left to generate.');
        end if;
    end if;

    -- Of each arc the first that is offered and that the caller does not know to be of no use.
    select jsonb_object_agg(t.emotional_arc_id, to_jsonb(t)) into templates
    from (
        select distinct on (pt.emotional_arc_id) pt.* from public.list_offered_templates() pt
        where pt.emotional_arc_id = any (arc_ids) and not pt.id = any (coalesce(r.without_templates, '{}'))
        order by pt.emotional_arc_id, pt.version desc, pt.created_at desc
    ) t;
    select string_agg(a.name, ', ' order by a.name) into missing from public.emotional_arcs a
    where a.id = any (arc_ids) and not coalesce(templates, '{}') ? a.id::text;
    if missing is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'No active prompt template for: ' || missing || '. Add one, or leave these arcs out.');
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, canary_items, selection, snapshot, estimated_seconds, estimated_cost_usd, created_by
    )
    select r.name, r.conversation_category, r.model, r.max_tokens, r.effort, r.structured_outputs, r.concurrency,
        r.error_handling, coalesce(r.raise_max_tokens, false), r.budget_usd, coalesce(r.canary_items, 0),
        jsonb_build_object('conversation_category', r.conversation_category, 'persona_ids', persona_ids, 'arc_ids', arc_ids,
            'topic_ids', topic_ids, 'limit', most, 'skip_existing', skip),
        jsonb_build_object(
            'personas', (select jsonb_object_agg(p.id, to_jsonb(p)) from public.personas p where p.id = any (persona_ids)),
            'arcs', (select jsonb_object_agg(a.id, to_jsonb(a)) from public.emotional_arcs a where a.id = any (arc_ids)),
            'topics', (select jsonb_object_agg(t.id, to_jsonb(t)) from public.training_topics t where t.id = any (topic_ids)),
            'templates', (select jsonb_object_agg(t.value ->> 'id', t.value) from jsonb_each(templates) t)
        ),
        r.estimated_seconds, r.estimated_cost_usd, owner
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, c.n - 1, persona_ids[1 + c.position / (arcs * topics)], arc.id, topic_ids[1 + c.position % topics],
        (templates -> arc.id::text ->> 'id')::uuid,
        case when arc.conversation_category = 'edge' then 'edge_case' else arc.tier end, owner
    from unnest(picks) with ordinality c(position, n)
    join public.emotional_arcs arc on arc.id = arc_ids[1 + c.position / topics % arcs];
    get diagnostics planned = row_count;

    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

create or replace function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
    planned integer;
    at_table text;
    at_column text;
    violated text;
begin
    select b.* into old_batch from public.batches b where b.id = target_batch_id and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if old_batch.imported then
        return public.refuse_imported_batch();
    end if;
    perform public.require_shape(changes, 'public.batch_changes');
    if not exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'No item of this batch has failed; there is nothing to retry.');
    end if;
    if changes ->> 'template_id' is not null then
        select t.* into template from public.prompt_templates t
        where t.id = (changes ->> 'template_id')::uuid and t.is_active;
        if not found or not old_batch.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, retry_of, selection, snapshot, created_by, estimated_cost_usd, estimated_seconds
    )
    select coalesce(changes ->> 'name', left('Retry of ' || old_batch.name, 200)), old_batch.conversation_category,
        coalesce(changes ->> 'model', old_batch.model),
        coalesce((changes ->> 'max_tokens')::integer, old_batch.max_tokens),
        case when changes ? 'effort' then changes ->> 'effort' else old_batch.effort end,
        coalesce((changes ->> 'structured_outputs')::boolean, old_batch.structured_outputs),
        old_batch.concurrency, old_batch.error_handling, old_batch.raise_max_tokens, old_batch.budget_usd,
        target_batch_id, old_batch.selection,
        case when template.id is null then old_batch.snapshot
            else jsonb_set(old_batch.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        old_batch.created_by, old_batch.estimated_cost_usd * share.retried::numeric, old_batch.estimated_seconds * share.retried
    from (
        select count(*) filter (where i.status = 'failed')::double precision / count(*) as retried
        from public.batch_items i where i.batch_id = target_batch_id
    ) share
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, row_number() over (order by i.position) - 1, i.persona_id, i.emotional_arc_id,
        i.training_topic_id,
        case when i.emotional_arc_id = template.emotional_arc_id then template.id else i.template_id end, i.tier, i.created_by
    from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed';
    get diagnostics planned = row_count;
    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

create or replace function public.create_experiment(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    base public.batches;
    template public.prompt_templates;
    given record;
    change jsonb;
    most integer;
    new_batch_id uuid := gen_random_uuid();
    new_name text;
    experiment public.experiments;
    chosen uuid[];
    at_table text;
    at_column text;
    violated text;
begin
    perform public.require_shape(request, 'public.experiment_request');
    select b.* into base from public.batches b where b.id = (request ->> 'batch_id')::uuid and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if base.imported then
        return public.refuse_imported_batch();
    end if;
    if (select count(*) from jsonb_object_keys(public.require_shape(request -> 'change', 'public.batch_changes'))) <> 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Change exactly one setting: with two, nobody could tell which of them made the difference.');
    end if;
    -- Kept is the change of a setting, and nothing else.
    select r.* into given from jsonb_to_record(request -> 'change') as r(
        model text, max_tokens integer, effort text, structured_outputs boolean, template_id uuid
    );
    change := jsonb_strip_nulls(to_jsonb(given));
    if change = '{}' then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'What can be changed is model, max_tokens, effort, structured_outputs or template_id.');
    end if;
    if given.model = base.model or given.max_tokens = base.max_tokens
        or given.effort = base.effort or given.structured_outputs = base.structured_outputs then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'The batch has this setting already; there is nothing to compare. Choose another value.');
    end if;
    if given.template_id is not null then
        select t.* into template from public.prompt_templates t where t.id = given.template_id and t.is_active;
        if not found or not base.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;
    most := least(coalesce((request ->> 'limit')::integer, 10000), 10000);
    if most < 1 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Limit: at least 1.');
    end if;
    chosen := array(
        select i.id from public.batch_items i
        join public.item_outcomes o on o.batch_item_id = i.id
        join public.matching_combinations(coalesce(request -> 'items', '{}')) c on c.id = o.combination_id
        where i.batch_id = base.id
            and (i.status = 'failed' or (i.status = 'completed' and request ->> 'scope' = 'judged'))
            and (template.id is null or (i.emotional_arc_id = template.emotional_arc_id and i.template_id <> template.id))
        order by i.position limit most
    );
    if cardinality(chosen) = 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'No judged item of this batch fits; there is nothing to repeat. Choose other items, or wait for the batch.');
    end if;

    new_name := coalesce(request ->> 'name', left('Compare ' || base.name, 200));
    -- The circuit breaker is off (nothing exceeds all items): an arm that fails often is a result, not an accident.
    insert into public.batches (
        id, name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, breaker_share, selection, snapshot, created_by
    )
    select new_batch_id, new_name, base.conversation_category, coalesce(given.model, base.model),
        coalesce(given.max_tokens, base.max_tokens), coalesce(given.effort, base.effort),
        coalesce(given.structured_outputs, base.structured_outputs), base.concurrency, 'continue',
        base.raise_max_tokens, base.budget_usd, 1, base.selection,
        case when template.id is null then base.snapshot
            else jsonb_set(base.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        base.created_by;
    insert into public.experiments (name, scope, change, base_batch_id, changed_batch_id, pairs, created_by)
    values (new_name, request ->> 'scope', change, base.id, new_batch_id, cardinality(chosen), base.created_by)
    returning * into experiment;
    with repeated as (
        select gen_random_uuid() as id, i.id as base_item_id, row_number() over (order by i.position) - 1 as position,
            i.persona_id, i.emotional_arc_id, i.training_topic_id, coalesce(template.id, i.template_id) as template_id, i.tier
        from public.batch_items i where i.id = any (chosen)
    ), added as (
        insert into public.batch_items (
            id, batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
        )
        select r.id, new_batch_id, r.position, r.persona_id, r.emotional_arc_id, r.training_topic_id, r.template_id, r.tier,
            base.created_by
        from repeated r
    )
    insert into public.experiment_pairs (changed_item_id, base_item_id, experiment_id, created_by)
    select r.id, r.base_item_id, experiment.id, base.created_by from repeated r;
    return jsonb_build_object('outcome', 'created', 'experiment', to_jsonb(experiment));
exception when data_exception or integrity_constraint_violation then
    get stacked diagnostics at_table = table_name, at_column = column_name, violated = constraint_name;
    return public.explain_error(at_table, at_column, violated, sqlerrm);
end
$$;

revoke execute on function
    public.is_visible(text), public.hidden_text(), public.clean_line(text), public.require_shape(jsonb, regclass), public.note_author()
    from public, anon, authenticated;
revoke execute on function public.list_offered_templates() from public, anon;
grant execute on function public.list_offered_templates() to authenticated;
-- The service role writes tables itself, and so evaluates their constraints and triggers.
grant execute on function public.is_visible(text), public.hidden_text(), public.clean_line(text), public.note_author() to service_role;
