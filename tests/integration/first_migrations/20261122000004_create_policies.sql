-- Who may see and do what. Results are written by the service role alone (it bypasses these policies); a signed-in user acts
-- through submit_batch and control_batch and sees what is theirs.

alter table public.personas enable row level security;
alter table public.emotional_arcs enable row level security;
alter table public.training_topics enable row level security;
alter table public.prompt_templates enable row level security;
alter table public.batches enable row level security;
alter table public.batch_items enable row level security;
alter table public.generation_attempts enable row level security;
alter table public.conversations enable row level security;
alter table public.failed_generations enable row level security;

create policy "Signed-in users read personas" on public.personas for select to authenticated using (true);
create policy "Signed-in users read arcs" on public.emotional_arcs for select to authenticated using (true);
create policy "Signed-in users read topics" on public.training_topics for select to authenticated using (true);
create policy "Signed-in users read templates" on public.prompt_templates for select to authenticated using (true);

create policy "Users read their batches" on public.batches
    for select to authenticated using (created_by = (select auth.uid()));
create policy "Users read their items" on public.batch_items
    for select to authenticated using (created_by = (select auth.uid()));
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

-- Policies decide over rows; rights decide over verbs. Signed-in users write nothing directly, visitors see nothing at all.
revoke all on public.personas, public.emotional_arcs, public.training_topics, public.prompt_templates, public.batches,
    public.batch_items, public.generation_attempts, public.conversations, public.failed_generations
    from anon, authenticated;
grant select on public.personas, public.emotional_arcs, public.training_topics, public.prompt_templates, public.batches,
    public.batch_items, public.generation_attempts, public.conversations, public.failed_generations
    to authenticated;
grant all on public.personas, public.emotional_arcs, public.training_topics, public.prompt_templates, public.batches,
    public.batch_items, public.generation_attempts, public.conversations, public.failed_generations
    to service_role;
