-- Editing the scaffolding. Any signed-in analyst may; nothing is deleted, a batch keeps the snapshot that it was made from.
--
-- save_persona, save_arc and save_topic write one whole row. Without `updated_at` it is a new one; with it, the row is changed
-- only if it still is as of that time. A key never changes: batches of other years and other rows name it.
-- save_template writes a new version of a template, based on its newest (`based_on`; null for a new template).
-- All return {"outcome": "saved" | "rejected" | "conflict", "id", "reason"}.

-- What a violated constraint means to whoever filled in the form.
create function public.explain_violation(constraint_name text, message text) returns jsonb
language sql immutable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason', case
        when constraint_name like '%\_key\_key' or constraint_name like '%\_key\_version\_key'
            then 'This key is taken. Choose another one.'
        when constraint_name like '%\_key\_check' then 'A key has 1 to 100 of the characters a-z, 0-9 and _.'
        when constraint_name like '%name\_check' then 'The name is empty.'
        when constraint_name like '%intensity%' then 'An intensity lies between 0 and 1.'
        else 'The database refused: ' || message
    end)
$$;

create function public.refuse_stale_save(row_exists boolean) returns jsonb
language sql immutable set search_path = ''
as $$
    select case when row_exists
        then jsonb_build_object('outcome', 'conflict', 'reason', 'Somebody else has changed it since you opened it.')
        else jsonb_build_object('outcome', 'rejected', 'reason', 'It is not there any more. Reload the list.')
    end
$$;

create function public.save_persona(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.personas := jsonb_populate_record(null::public.personas, payload);
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
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
exception when integrity_constraint_violation then
    get stacked diagnostics violated = constraint_name;
    return public.explain_violation(violated, sqlerrm);
end
$$;

create function public.save_arc(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.emotional_arcs := jsonb_populate_record(null::public.emotional_arcs, payload);
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
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
exception when integrity_constraint_violation then
    get stacked diagnostics violated = constraint_name;
    return public.explain_violation(violated, sqlerrm);
end
$$;

create function public.save_topic(payload jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.training_topics := jsonb_populate_record(null::public.training_topics, payload);
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
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
exception when integrity_constraint_violation then
    get stacked diagnostics violated = constraint_name;
    return public.explain_violation(violated, sqlerrm);
end
$$;

create function public.save_template(payload jsonb, based_on integer) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    given public.prompt_templates := jsonb_populate_record(null::public.prompt_templates, payload);
    newest public.prompt_templates;
    violated text;
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    if coalesce(trim(given.system_prompt), '') = '' or coalesce(trim(given.user_prompt), '') = '' then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A template needs a system prompt and a user prompt.');
    end if;
    select t.* into newest from public.prompt_templates t
    where t.template_key = given.template_key order by t.version desc limit 1;
    if based_on is null and newest.id is not null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'This key is taken. Choose another one.');
    end if;
    if newest.version is distinct from based_on then
        return jsonb_build_object('outcome', 'conflict', 'reason',
            format('Version %s was saved since you opened version %s.', newest.version, based_on));
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
    when integrity_constraint_violation then
        get stacked diagnostics violated = constraint_name;
        return public.explain_violation(violated, sqlerrm);
end
$$;

-- The texts of a version never change; whether new batches may take it does.
create function public.set_template_active(template_id uuid, active boolean) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    if auth.uid() is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first.');
    end if;
    update public.prompt_templates t set is_active = active, updated_at = clock_timestamp() where t.id = template_id;
    if not found then
        return public.refuse_stale_save(false);
    end if;
    return jsonb_build_object('outcome', 'saved', 'id', template_id);
end
$$;

revoke execute on function public.explain_violation(text, text), public.refuse_stale_save(boolean),
    public.save_persona(jsonb), public.save_arc(jsonb), public.save_topic(jsonb), public.save_template(jsonb, integer),
    public.set_template_active(uuid, boolean) from public, anon;
grant execute on function public.save_persona(jsonb), public.save_arc(jsonb), public.save_topic(jsonb),
    public.save_template(jsonb, integer), public.set_template_active(uuid, boolean) to authenticated;

-- What came of each persona, arc, topic or template: the caller's items, by id.
create function public.count_scaffolding_uses(kind text) returns table (id uuid, accepted integer, failed integer)
language sql stable
as $$
    select u.id, sum(u.accepted)::integer, sum(u.failed)::integer
    from (
        select case kind when 'persona' then i.persona_id when 'arc' then i.emotional_arc_id
                when 'topic' then i.training_topic_id else i.template_id end as id,
            (i.status = 'completed')::integer as accepted, (i.status = 'failed')::integer as failed
        from public.batch_items i
        where i.created_by = (select auth.uid()) and i.status in ('completed', 'failed')
    ) u
    group by u.id
$$;

revoke execute on function public.count_scaffolding_uses(text) from public, anon;
grant execute on function public.count_scaffolding_uses(text) to authenticated;
