-- A template's texts have a size that can be read and filled at once. A trigger and no constraint: it holds for every writer of new
-- texts, and an older version that is larger can still be switched off.
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
revoke execute on function public.check_template_size() from public, anon, authenticated;

create trigger check_template_size before insert or update of system_prompt, user_prompt on public.prompt_templates
    for each row execute function public.check_template_size();
