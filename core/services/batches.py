"""Batches as an analyst handles them: estimate, submit, watch, control."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import inf

from core.domain.batches.batch import (
    MOST_ITEMS,
    BatchAction,
    BatchId,
    BatchProgress,
    BatchSettings,
    BatchStatus,
    RetryChanges,
    Selection,
    SkipExisting,
    Submitted,
)
from core.domain.batches.estimate import Estimate, GenerationHistory, estimate_batch
from core.domain.batches.pricing import find_call_cost_range, find_price
from core.domain.datasets.plans import DatasetId
from core.domain.scaffolding.grid import sample_grid
from core.domain.scaffolding.prompt import check_template, choose_template
from core.domain.scaffolding.records import PromptTemplate, TemplateId
from core.errors import InvalidRequest, NotFound, QueueUnavailable, TemplateInvalid
from core.ports.batches import BatchStore
from core.ports.scaffolding import ScaffoldingStore
from core.ports.work import JobQueue

NO_CHANGES = RetryChanges()


@dataclass(frozen=True, kw_only=True)
class BatchService:
    """Submits batches, reads their progress and controls them."""

    batches: BatchStore
    scaffolding: ScaffoldingStore
    queue: JobQueue
    simulated: bool = False
    """Claude is simulated: what simulated calls took says what the next will take, and only then."""

    def estimate(self, selection: Selection, settings: BatchSettings) -> Estimate:
        """Return expected time and cost, from the model's own history where there is enough."""
        return self.estimate_conversations(self._count_planned(selection), settings)

    def estimate_conversations(self, conversations: int, settings: BatchSettings) -> Estimate:
        """Return expected time and cost of so many conversations, likewise."""
        history = find_history(self.list_history(), settings.model, simulated=self.simulated)
        return estimate_settings(conversations, settings, history)

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        """Return how many of the selection's combinations have a conversation already."""
        return self.batches.count_existing(selection, skip) if selection.grid_size else 0

    def list_history(self) -> tuple[GenerationHistory, ...]:
        """Return what items have taken so far, one row for each model."""
        return self.batches.list_history()

    def submit(
        self, selection: Selection, settings: BatchSettings, *, name: str | None = None, zone: tzinfo | None = None
    ) -> Submitted:
        """Write the batch and enqueue it. Without a name it is called by the time in `zone`, the submitter's.

        Raises InvalidRequest for an empty selection or one that the database refuses, TemplateInvalid if no template of an
        arc can be filled; nothing is written then. If only the queue does not answer, the batch is kept and starts later.
        """
        _check_price(settings.model, settings.budget_usd)
        selection = _without_repeats(selection)
        if selection.grid_size == 0:
            raise InvalidRequest("Select at least one persona, one arc and one topic.")
        without_templates = self._find_useless_templates([selection])
        # Even the whole grid is generated in spread order, so that canary, circuit breaker and analyst see all personas,
        # arcs and topics from the start.
        wanted = selection.combinations if selection.skip_existing is None else selection.grid_size
        most = wanted if selection.skip_existing is not None else selection.planned
        if most > MOST_ITEMS:  # Checked before a list of that length is built.
            raise InvalidRequest(
                f"A batch holds at most {MOST_ITEMS:,} conversations; this selection has {most:,}. "
                "Select fewer or set a limit."
            )
        picks = sample_grid(len(selection.persona_ids), len(selection.arc_ids), len(selection.topic_ids), limit=wanted)
        estimate = self.estimate(selection, settings)
        chosen_name = (name or "").strip() or _name_by_time(selection, zone)
        submitted = self.batches.submit(
            chosen_name, selection, settings, estimate, picks, without_templates=without_templates
        )
        return submitted.model_copy(update={"is_enqueued": self._enqueue(submitted.batch_id)})

    def submit_picks(
        self, selection: Selection, picks: Sequence[int], settings: BatchSettings, *, name: str, dataset_id: DatasetId
    ) -> Submitted:
        """Write and enqueue a batch of a data set: of these positions what its plan still misses. Raises as submit does."""
        _check_price(settings.model, settings.budget_usd)
        without_templates = self._find_useless_templates([selection])
        estimate = self.estimate_conversations(len(picks), settings)
        submitted = self.batches.submit(
            name, selection, settings, estimate, picks, without_templates=without_templates, dataset_id=dataset_id
        )
        return submitted.model_copy(update={"is_enqueued": self._enqueue(submitted.batch_id)})

    def submit_all(
        self, selections: Sequence[Selection], settings: BatchSettings, *, zone: tzinfo | None = None
    ) -> tuple[Submitted, ...]:
        """Submit one batch for each selection; one with nothing left to generate is left out.

        Raises what submit raises; the templates of all are checked before the first is written.
        """
        wanted = [selection for selection in selections if self._count_planned(selection)]
        if not wanted:
            raise InvalidRequest("Every combination is already covered; nothing is left to generate.")
        self._find_useless_templates(wanted)
        return tuple(self.submit(selection, settings, zone=zone) for selection in wanted)

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges = NO_CHANGES) -> Submitted:
        """Make a new batch of a batch's failed items, the same or with changed settings, and enqueue it.

        The two stay linked (`retry_of`). Raises NotFound, InvalidRequest where nothing has failed, or
        TemplateInvalid for a template that cannot be used.
        """
        if changes.model is not None:
            _check_price(changes.model, self.get(batch_id).budget_usd)
        if changes.template_id is not None:
            for template in self.scaffolding.list_templates():
                if template.id == changes.template_id:
                    _check_template(template)
        submitted = self.batches.retry_failed(batch_id, changes)
        return submitted.model_copy(update={"is_enqueued": self._enqueue(submitted.batch_id)})

    def get(self, batch_id: BatchId) -> BatchProgress:
        """Return a batch; raise NotFound if there is none or it is someone else's."""
        progress = self.batches.get(batch_id)
        if progress is None:
            raise NotFound.of("batch", batch_id)
        return progress

    def control(self, batch_id: BatchId, action: BatchAction, *, budget_usd: float | None = None) -> BatchStatus:
        """Pause, resume or cancel; a resume may set a new budget, which must be more than was spent.

        Raises NotFound, or InvalidRequest where that is not possible now.
        """
        if budget_usd is not None:
            self._check_budget(batch_id, action, budget_usd)
        status = self.batches.control(batch_id, action, budget_usd)
        if status.is_active:
            self._enqueue(batch_id)
        return status

    def _check_budget(self, batch_id: BatchId, action: BatchAction, budget_usd: float) -> None:
        if action is not BatchAction.RESUME:
            raise InvalidRequest(f"A budget can be set when a batch is resumed, not with {action}.")
        spent_usd = self.get(batch_id).cost_usd
        if not spent_usd < budget_usd < inf:  # Nothing is more than "not a number".
            raise InvalidRequest(f"The batch has spent ${spent_usd:,.2f} already. Set a budget of more than that.")

    def _enqueue(self, batch_id: BatchId) -> bool:
        try:
            self.queue.enqueue(batch_id)
        except QueueUnavailable:
            return False  # The batch is safe in the database; the reconciler enqueues it when the queue is back.
        return True

    def _count_planned(self, selection: Selection) -> int:
        skip = selection.skip_existing
        return selection.count_planned(0 if skip is None else self.count_existing(selection, skip))

    def _find_useless_templates(self, selections: Sequence[Selection]) -> tuple[TemplateId, ...]:
        """Return the templates that cannot be filled although another one of their arc can.

        The database chooses among the others. Raises TemplateInvalid where no template of an arc can be filled.
        """
        offered = self.scaffolding.list_offered_templates()
        useless: list[TemplateId] = []
        for arc_id in dict.fromkeys(arc_id for selection in selections for arc_id in selection.arc_ids):
            chosen = choose_template(offered, arc_id)
            if chosen is None:
                continue  # The database names the arcs that have none.
            _check_template(chosen)
            of_arc = [template.id for template in offered if template.emotional_arc_id == arc_id]
            useless += of_arc[: of_arc.index(chosen.id)]
        return tuple(useless)


def _check_template(template: PromptTemplate) -> None:
    if problems := check_template(template.system_prompt, template.user_prompt):
        raise TemplateInvalid(f"Prompt template {template.name} v{template.version}: {' '.join(problems)}")


def _check_price(model: str, budget_usd: float | None) -> None:
    if budget_usd is not None and find_price(model) is None:
        raise InvalidRequest(
            f"No price is known for {model}, so no budget can be enforced. Choose another model, or leave the budget empty."
        )


def find_history(history: tuple[GenerationHistory, ...], model: str, *, simulated: bool) -> GenerationHistory | None:
    """Return the model's history with Claude as it is now: what was simulated says nothing of what is paid for."""
    return next((row for row in history if row.model == model and row.simulated == simulated), None)


def estimate_settings(conversations: int, settings: BatchSettings, history: GenerationHistory | None) -> Estimate:
    """Return expected time and cost of so many conversations, with the price list's range before there is a history."""
    return estimate_batch(
        conversations,
        concurrency=settings.concurrency,
        history=history,
        call_cost_usd=find_call_cost_range(settings.model, settings.max_tokens),
    )


def _without_repeats(selection: Selection) -> Selection:
    """Name each id once, so that no combination is generated twice."""
    return selection.model_copy(
        update={field: tuple(dict.fromkeys(getattr(selection, field))) for field in ("persona_ids", "arc_ids", "topic_ids")}
    )


def _name_by_time(selection: Selection, zone: tzinfo | None) -> str:
    kind = "Core" if selection.category == "core" else "Edge case"
    return f"{kind} batch, {datetime.now(zone or UTC):%Y-%m-%d %H:%M}{'' if zone else ' UTC'}"
