-- Alerts of what workers notice beside their work: jobs in the queue that are not Bright Run's, and results that could not be
-- recorded and wait on a worker's disk. Both concern the whole installation. The worker finds them (core/domain/alerts.py);
-- the database only has to know their names.
alter table public.alerts drop constraint alerts_rule_check;
alter table public.alerts add constraint alerts_rule_check
    check (rule in ('failure_rate', 'drift', 'new_pattern', 'storage', 'refused_jobs', 'stuck_results'));
