"""`brightrun retry`: new calls for the failed items of a batch."""

from typing import Annotated

import typer

from core.cli.batch_options import BatchArgument, JsonOption, WaitOption, check_options, parse_batch_id
from core.cli.batch_progress import report_submitted
from core.command_bootstrap import CommandServices, open_command_services
from core.config import load_settings
from core.domain.batches.batch import BatchId, Effort, RetryChanges
from core.domain.batches.monitor import find_retry_template
from core.domain.scaffolding.records import TemplateId
from core.errors import InvalidRequest


def retry(
    batch: BatchArgument,
    *,
    model: Annotated[str | None, typer.Option(help="Another model id.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Other max output tokens.")] = None,
    effort: Annotated[Effort | None, typer.Option(help="Another effort.")] = None,
    structured_outputs: Annotated[bool | None, typer.Option(help="Ask for the JSON schema, or not.")] = None,
    template: Annotated[str | None, typer.Option(help='Another template of one of its arcs: "NAME", or "NAME v2".')] = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new batch of a batch's failed items, the same or with changed settings."""
    batch_id = parse_batch_id(batch)
    changes = check_options(
        RetryChanges, {"model": model, "max_tokens": max_tokens, "effort": effort, "structured_outputs": structured_outputs}
    )
    settings = load_settings()
    with open_command_services(settings) as services:
        if template is not None:
            changes = changes.model_copy(update={"template_id": _find_template(services, batch_id, template)})
        submitted = services.batches.retry_failed(batch_id, changes)
        report_submitted(
            services,
            submitted,
            f"{submitted.planned} failed items of {batch_id}",
            wait=wait,
            as_json=as_json,
            simulated=settings.simulated,
        )


def _find_template(services: CommandServices, batch_id: BatchId, wanted: str) -> TemplateId:
    templates = services.monitor.list_retry_templates(batch_id)
    found = find_retry_template(templates, wanted)
    if found is None:
        known = ", ".join(f'"{each.name} v{each.version}"' for each in templates) or "none"
        raise InvalidRequest(f"No template of this batch's arcs is called {wanted!r}. There are: {known}.")
    return found.id
