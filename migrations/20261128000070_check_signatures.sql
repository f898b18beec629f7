-- A failure signature has one of the failure types, as the failures themselves do: pages match them exhaustively.
alter table public.failure_kinds add constraint failure_kinds_failure_type_check check (
    failure_type in ('truncation', 'parse_error', 'validation_error', 'api_error', 'refusal', 'corruption')
);
