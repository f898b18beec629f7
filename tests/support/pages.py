"""The pages as a signed-in analyst sees them, over the real stack, without a browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.bootstrap import PageServices, build_page_services
from core.config import PageSettings, Settings
from core.domain.diagnosis.health import QueueHealth, WorkerHealth
from core.services.health import HealthService
from tests.fakes.probe import ScriptedProbe
from tests.fakes.queue import ScriptedQueue
from tests.support.stores import Stores, open_stores

ROOT = Path(__file__).parents[2]
SECONDS = 60


@dataclass(kw_only=True)
class Pages:
    """What is behind the pages, and a way to open one. Queue and health are a test's to script; the rest is real."""

    stores: Stores
    services: PageServices
    settings: PageSettings
    queue: ScriptedQueue
    probe: ScriptedProbe

    def begin(self) -> AppTest:
        """Return the application before its first run."""
        st.cache_resource.clear()  # To Streamlit's caches all tests are one session.
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=SECONDS)
        app.session_state["services"] = self.services
        app.session_state["settings"] = self.settings
        return app

    def open(self, page: str | None = None, **query: str) -> AppTest:
        """Open Home, or a page by its link, on a server that has run Home before."""
        app = self.begin().run()
        if page is not None:
            app.switch_page(page)
            for name, value in query.items():
                app.query_params[name] = value
            app.run()
        return app


@contextmanager
def open_pages(settings: Settings) -> Iterator[Pages]:
    """Open the pages of a new analyst; they show the settings of a stack on one machine, where Claude is simulated."""
    with open_stores(settings) as stores:
        with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
            connection.execute(
                "delete from public.alerts where created_by is null"
            )  # Of the installation: other tests' work.
        queue, probe = ScriptedQueue(), ScriptedProbe()
        health = HealthService(database=probe, queue=probe, storage_limit_bytes=1_000_000_000)
        built = build_page_services(PageSettings.model_validate(dump_page_settings(settings)), stores.analyst)
        services = replace(
            built,
            batches=replace(built.batches, queue=queue),
            experiments=replace(built.experiments, queue=queue),
            health=health,
        )
        yield Pages(stores=stores, services=services, settings=bare_page_settings(), queue=queue, probe=probe)
        health.close()
        built.close()


def dump_page_settings(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in PageSettings.model_fields}


def bare_page_settings() -> PageSettings:
    hosted = dict.fromkeys(["supabase_url", "supabase_publishable_key", "redis_url", "email", "password"])
    return PageSettings(_env_file=None, **hosted, embedded=True, simulated=True)  # pyright: ignore[reportCallIssue]


def announce_worker(*, silent_seconds: float) -> Callable[[], QueueHealth]:
    heard = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    worker = WorkerHealth(name="host:12", state="idle", last_heartbeat_at=heard)
    return lambda: QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0, workers=(worker,))


def said(message: Any) -> str:
    """Return what a reader sees of a message, its markdown escapes taken away."""
    shown = re.sub(r":color\[(.*?)\]\{\}", r"\1", message.value)  # Keeps Streamlit from seeing a link; nobody sees it.
    return re.sub(r"\\(.)", r"\1", shown)


def read_texts(app: AppTest) -> str:
    """Return everything that the page says in sentences."""
    messages = (*app.markdown, *app.info, *app.success, *app.error, *app.warning, *app.caption)
    return "\n".join(said(message) for message in messages)


def list_labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def find_button(app: AppTest, label: str) -> Any:
    """Return the button with this label, else the first whose label begins like this."""
    found = [button for button in app.button if button.label.startswith(label)]
    return next((button for button in found if button.label == label), None) or found[0]


def press(app: AppTest, label: str) -> AppTest:
    """Press a button and return the page after it, which must not have failed."""
    find_button(app, label).click().run()
    assert not app.exception
    return app
