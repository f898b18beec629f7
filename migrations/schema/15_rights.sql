-- Rights: who may call and read what. Rights decide over verbs, policies (beside each table) over rows.
--
-- Visitors (anon) may do nothing. Analysts (authenticated) read tables under their policies and write nothing
-- directly; they call the functions listed here, which check what they are sent. Workers (service_role) may do
-- everything; their functions are called by nobody else.

revoke all on all tables in schema public from anon, authenticated;
grant select on
    public.personas, public.emotional_arcs, public.training_topics, public.prompt_templates, public.variation_axes, public.scaffolding_authors,
    public.batches, public.batch_items, public.generation_attempts, public.conversations, public.failed_generations,
    public.outcome_combinations, public.failure_kinds, public.item_outcomes, public.experiments, public.experiment_pairs,
    public.batch_progress, public.generation_history, public.imported_names, public.import_files, public.alerts,
    public.alert_evaluations, public.datasets, public.dataset_cells, public.dataset_exports, public.dataset_versions, public.dataset_version_rows,
    public.conversation_edits, public.batch_totals, public.batch_workers, public.batch_trend,
    public.batch_stop_reasons
    to authenticated;

revoke execute on all functions in schema public from public, anon, authenticated;
grant execute on all functions in schema public to service_role;
grant execute on function
    public.acknowledge_alert(uuid, boolean), public.asks_for_imports(jsonb), public.begin_dataset_version(uuid),
    public.begin_import(jsonb), public.control_batch(uuid, text, numeric),
    public.count_conversations(jsonb), public.count_existing_combinations(jsonb), public.count_experiment_pairs(uuid),
    public.count_failed_generations(jsonb), public.count_outcomes(jsonb, integer), public.count_scaffolding_uses(text),
    public.create_experiment(jsonb), public.describe_conversation(uuid), public.describe_failure(uuid),
    public.export_conversations(jsonb, integer, timestamptz, uuid), public.find_conversation_place(jsonb, uuid, uuid),
    public.find_conversations_by_words(text), public.find_failure_place(jsonb, uuid),
    public.find_failures_by_words(text), public.finish_import(uuid),
    public.fits_kind(jsonb, text, text, text, text),
    public.fits_settings(jsonb, uuid, uuid, uuid, uuid, boolean, integer, text, integer),
    public.list_attempt_log(uuid, timestamptz, uuid, integer), public.list_batch_items(uuid, text, integer, integer),
    public.list_batches(jsonb, integer, integer), public.list_conversations(jsonb, integer, timestamptz, uuid, text),
    public.list_failed_generations(jsonb, integer, timestamptz, uuid, text), public.list_imported_names(text),
    public.list_offered_axes(), public.list_offered_templates(), public.list_outcome_examples(jsonb, integer), public.list_result_options(),
    public.list_items_to_retry(uuid), public.list_retry_templates(uuid), public.matching_combinations(jsonb), public.matching_conversations(jsonb),
    public.matching_failures(jsonb), public.measure_budget(uuid), public.measure_storage(), public.read_alerts(),
    public.measure_room(), public.dismiss_spool(uuid),
    public.read_batch_trend(uuid, integer), public.group_judged_items(uuid, integer),
    public.join_trend_parts(uuid, integer), public.read_claude_health(), public.read_database_health(),
    public.read_ids(jsonb, text), public.read_overview(), public.require_filters(jsonb),
    public.retry_failed_items(uuid, jsonb), public.save_arc(jsonb), public.save_axis(jsonb),
    public.save_persona(jsonb), public.save_template(jsonb, integer), public.save_topic(jsonb),
    public.set_template_active(uuid, boolean), public.stage_import(uuid, jsonb), public.submit_batch(jsonb),
    public.watch_batch(uuid, integer), public.count_dataset_cells(uuid, boolean), public.create_dataset(jsonb),
    public.delete_dataset(uuid), public.describe_dataset(uuid, boolean), public.freeze_dataset_version(uuid, text, jsonb), public.list_dataset_conversations(uuid, integer, timestamptz, uuid),
    public.list_datasets(boolean, text, uuid, integer), public.read_version_rows(uuid, integer, integer),
    public.review_conversations(uuid[], text, text), public.stage_dataset_rows(uuid, jsonb), public.edit_turn(uuid, integer, text, text),
    public.note_conversation(uuid, text), public.open_conversation(uuid, uuid), public.read_conversation(uuid, uuid, jsonb),
    public.draw_conversations(jsonb), public.note_dataset_export(uuid, text, text[], text), public.read_dataset_head(uuid)
    to authenticated;
