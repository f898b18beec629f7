"""`brightrun generate`: a new batch."""

from typing import Annotated

import typer

from core.cli.batch_options import JsonOption, WaitOption, check_per_combination, make_batch_settings, warn_of_same_prompts
from core.cli.batch_progress import report_submitted
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.batches.batch import Effort, ErrorHandling, Selection, choose_skip
from core.domain.scaffolding.records import ConversationCategory
from core.errors import InvalidRequest
from core.services.scaffolding import ALL, find_left_out_arcs, pick_arcs, pick_personas, pick_topics
from core.terminal import escape_lines


def generate(
    *,
    category: Annotated[ConversationCategory, typer.Option(help="Core journeys or edge cases.")],
    personas: Annotated[str, typer.Option(help="`all` or persona keys, comma separated.")] = ALL,
    arcs: Annotated[
        str, typer.Option(help="`all` of the category that have a template, or arc keys, comma separated.")
    ] = ALL,
    topics: Annotated[str, typer.Option(help="`all`, a number, or topic keys, comma separated.")] = ALL,
    limit: Annotated[int | None, typer.Option(help="At most this many combinations, sampled evenly over the grid.")] = None,
    per_combination: Annotated[int, typer.Option(help="Conversations of each combination (1 to 1,000).")] = 1,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight (1 to 200).")] = None,
    error_handling: Annotated[ErrorHandling, typer.Option(help="What a failed item means.")] = ErrorHandling.CONTINUE,
    model: Annotated[str | None, typer.Option(help="Model id.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Max output tokens of a call.")] = None,
    effort: Annotated[Effort | None, typer.Option(help="How hard the model thinks.")] = None,
    structured_outputs: Annotated[bool | None, typer.Option(help="Ask for the JSON schema.")] = None,
    raise_max_tokens: Annotated[
        bool | None, typer.Option(help="Retry a reply cut off by max_tokens once, with twice as many.")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(help="The batch pauses automatically before it spends more.")] = None,
    canary: Annotated[int | None, typer.Option(help="Generate this many first; the rest only if few enough fail.")] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip combinations for which you have a conversation.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the batch.")] = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a batch: every combination of the chosen personas, arcs and topics."""
    settings = load_settings()
    batch_settings = make_batch_settings(
        settings,
        concurrency=concurrency,
        error_handling=error_handling,
        model=model,
        max_tokens=max_tokens,
        effort=effort,
        structured_outputs=structured_outputs,
        raise_max_tokens=raise_max_tokens,
        budget_usd=budget_usd,
        canary_items=canary,
    )
    if limit is not None and limit < 1:
        raise InvalidRequest(f"--limit {limit}: ask for at least 1 combination.")
    check_per_combination(per_combination)
    with open_command_services(settings) as services:
        choices = services.scaffolding.list_choices()
        selection = Selection(
            category=category,
            persona_ids=tuple(persona.id for persona in pick_personas(choices, personas)),
            arc_ids=tuple(arc.id for arc in pick_arcs(choices, category, arcs)),
            topic_ids=tuple(topic.id for topic in pick_topics(choices, topics)),
            limit=limit,
            skip_existing=choose_skip(simulated=settings.simulated) if skip_existing else None,
            per_combination=per_combination,
        )
        if left_out := find_left_out_arcs(choices, category, arcs):
            names = ", ".join(arc.name for arc in left_out)
            typer.echo(escape_lines(f"Skipped, since you have no template for them: {names}."), err=True)
        warn_of_same_prompts(choices, selection.arc_ids, per_combination)
        submitted = services.batches.submit(selection, batch_settings, name=name)
        report_submitted(services, submitted, selection.formula, wait=wait, as_json=as_json, simulated=settings.simulated)
