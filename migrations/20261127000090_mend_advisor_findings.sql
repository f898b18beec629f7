-- What the database advisors of Supabase found: foreign keys without an index, functions whose search path the caller chooses.

create index idx_conversations_persona on public.conversations (persona_id);
create index idx_conversations_arc on public.conversations (emotional_arc_id);
create index idx_conversations_topic on public.conversations (training_topic_id);
create index idx_conversations_template on public.conversations (template_id);

alter function public.make_failure_words(text, text, text) set search_path = '';
alter function public.make_conversation_words(text, jsonb) set search_path = '';
alter function public.make_word_query(text) set search_path = '';
alter function public.count_scaffolding_uses(text) set search_path = '';
