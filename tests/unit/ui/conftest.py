"""The pages over stores in memory: no stack, no browser."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from core.adapters.memory import MemoryDatabase, MemoryQueue
from core.adapters.memory_alerts import MemoryAlertStore
from core.adapters.memory_conversations import MemoryConversationStore
from core.adapters.memory_diagnostics import MemoryDiagnosticStore, MemoryExperimentStore
from core.adapters.memory_failures import MemoryFailureStore
from core.adapters.memory_health import MemoryProbe
from core.adapters.memory_imports import MemoryImportStore
from core.adapters.memory_monitor import MemoryMonitorStore, MemoryOverviewStore
from core.adapters.memory_scaffolding import MemoryScaffoldingEditor
from core.adapters.memory_token_counter import MemoryTokenCounter
from core.bootstrap import PageServices
from core.config import PageSettings
from core.domain.batch import BatchSettings, Selection
from core.domain.scaffolding import ConversationCategory
from core.domain.topic_selection import select_topics
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from core.services.alerts import AlertService
from core.services.batches import BatchService
from core.services.conversations import ConversationService
from core.services.diagnostics import DiagnosticsService
from core.services.experiments import ExperimentService
from core.services.failures import FailedGenerationService
from core.services.health import HealthService
from core.services.importing import ImportService
from core.services.monitor import MonitorService
from core.services.overview import OverviewService
from core.services.prompts import PromptService
from core.services.scaffolding import ScaffoldingService
from core.services.scaffolding_editing import ScaffoldingEditingService

ROOT = Path(__file__).parents[3]
SECONDS = 30


def said(message: Any) -> str:
    """Return what a reader sees of a message, its markdown escapes taken away."""
    shown = re.sub(r":color\[(.*?)\]\{\}", r"\1", message.value)  # Keeps Streamlit from seeing a link; nobody sees it.
    return re.sub(r"\\(.)", r"\1", shown)


@dataclass(kw_only=True)
class Pages:
    """The stores behind the pages, and a way to open one."""

    database: MemoryDatabase
    queue: MemoryQueue
    probe: MemoryProbe
    alerts: MemoryAlertStore
    services: PageServices
    settings: PageSettings

    def open(self, page: str | None = None, **query: str) -> AppTest:
        """Open a page as a signed-in analyst of the local stack, by way of Home.py."""
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=SECONDS)
        app.session_state["services"] = self.services
        app.session_state["settings"] = self.settings
        app.run()
        if page is not None:
            app.switch_page(page)
            for name, value in query.items():
                app.query_params[name] = value
            app.run()
        return app


@pytest.fixture
def settings() -> PageSettings:
    hosted = dict.fromkeys(["supabase_url", "supabase_publishable_key", "redis_url", "email", "password"])
    return PageSettings(_env_file=None, **hosted, embedded=True, simulated=True)  # pyright: ignore[reportCallIssue]


@pytest.fixture
def pages(settings: PageSettings) -> Pages:
    st.cache_resource.clear()  # What tabs share belongs to the stores of one test.
    selected = select_topics(load_training_topics())
    database = MemoryDatabase(
        personas=load_personas(), arcs=load_emotional_arcs(), topics=selected, templates=load_prompt_templates()
    )
    queue, probe, alerts = MemoryQueue(), MemoryProbe(), MemoryAlertStore(database=database)
    services = PageServices(
        user_email="analyst@example.com",
        scaffolding=ScaffoldingService(store=database),
        batches=BatchService(batches=database, scaffolding=database, queue=queue),
        scaffolding_editing=ScaffoldingEditingService(store=database, editor=MemoryScaffoldingEditor(database=database)),
        prompts=PromptService(counter=MemoryTokenCounter(tokens=1234)),
        monitor=MonitorService(store=MemoryMonitorStore(database=database)),
        overview=OverviewService(store=MemoryOverviewStore(database=database)),
        alerts=AlertService(store=alerts),
        health=HealthService(database=probe, queue=probe, storage_limit_bytes=1_000_000_000),
        failures=FailedGenerationService(store=MemoryFailureStore(database=database)),
        conversations=ConversationService(store=MemoryConversationStore(database=database)),
        diagnostics=DiagnosticsService(store=MemoryDiagnosticStore(database=database)),
        experiments=ExperimentService(store=MemoryExperimentStore(database=database), queue=queue),
        imports=ImportService(store=MemoryImportStore(database=database), scaffolding=database),
    )
    return Pages(database=database, queue=queue, probe=probe, alerts=alerts, services=services, settings=settings)


@pytest.fixture
def submit(pages: Pages) -> Callable[[int], str]:
    """Put a batch of some size into the database and return its id."""

    def submit_batch(limit: int) -> str:
        choices = pages.services.scaffolding.list_choices()
        selection = Selection(
            category=ConversationCategory.CORE,
            persona_ids=tuple(persona.id for persona in choices.personas),
            arc_ids=tuple(arc.id for arc in choices.arcs_of(ConversationCategory.CORE)),
            topic_ids=tuple(topic.id for topic in choices.topics),
            limit=limit,
        )
        settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=1000)
        return str(pages.services.batches.submit(selection, settings, name="My *batch*").batch_id)

    return submit_batch


@pytest.fixture
def warm_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AppTest behave like a server on which Home.py has run before; by itself every run of it is a cold start."""
    begin = PagesManager.__init__

    def begin_warm(manager: PagesManager, *arguments: Any, **options: Any) -> None:
        begin(manager, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", begin_warm)
