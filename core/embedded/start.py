"""One start of the stack: the preparation before the supervisor runs, then the steps part by part."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from core.embedded import analyst, application, postgres, valkey
from core.embedded.addresses import LOOPBACK, choose_page_port, choose_ports
from core.embedded.folder import StackFolder
from core.embedded.plan import Part, StackPlan, embedded_settings, write_connection
from core.embedded.program import Program
from core.embedded.state import StackSecrets, StackState, read_state, renew_api_password, write_state
from core.embedded.supabase_api import installation, server
from core.embedded.supervision import Supervisor, read_log_end
from core.errors import StackError

HEALTH_SECONDS = 60.0
Say = Callable[[str], None]
Check = Callable[[], str | None]
"""Returns None if the part is healthy, otherwise what is wrong."""


class StackStart:
    """One start: the preparation before the supervisor runs, then the steps."""

    def __init__(self, plan: StackPlan, say: Say) -> None:
        self.plan = plan
        self.say = say
        self.folder = plan.folder
        state = read_state(self.folder)
        page_port = choose_page_port(plan.settings.port, state.ports.get(Part.PAGES)) if Part.PAGES in plan.parts else None
        self.ports = self._choose_ports(state, page_port)
        self.secrets: StackSecrets | None = None
        self.settings = plan.settings
        if plan.embedded:
            self.secrets = renew_api_password(self.folder)
            postgres.create_database(self.folder, self.secrets)
            self.settings = embedded_settings(plan, self.ports, self.secrets)
        self.programs = list(self._make_programs())
        self.socket = self.folder.choose_socket(state.supervisor_socket)
        url = None if page_port is None else application.page_url(page_port)
        write_state(self.folder, StackState(ports=self.ports, supervisor_socket=self.socket, page_url=url))

    def run(self, supervisor: Supervisor) -> None:
        """Start the parts in order; the pages begin to load immediately and are checked last."""
        if Part.PAGES in self.plan.parts:
            supervisor.start(application.PAGES)
        if self.secrets is not None:
            self._start_services(supervisor, self.secrets)
        for program in self.programs:
            if program.name == application.SIMULATOR:
                address = application.simulator_url(self.ports[Part.SIMULATOR]) + "/healthz"
                self._start(supervisor, program.name, partial(application.check_address, address))
            elif program.rank == application.WORKER_RANK:
                self._start(supervisor, program.name, None)
            elif program.name == application.PAGES:
                address = f"http://{LOOPBACK}:{self.ports[Part.PAGES]}/_stcore/health"
                self._start(supervisor, program.name, partial(application.check_address, address))

    def _start_services(self, supervisor: Supervisor, secrets: StackSecrets) -> None:
        settings = self.settings
        url = settings.require_db_url()
        api = settings.require_supabase()
        self._start(supervisor, postgres.NAME, lambda: postgres.check_database(url))
        if Part.API in self.plan.parts:
            self._make_api_schemas(url, secrets)
        postgres.prepare_database(url, secrets)
        if Part.API in self.plan.parts:
            check_api = partial(server.check_guarded_api, *api, secrets.secret_key)
            self._start(supervisor, server.NAME, check_api)
            applied = [] if self.plan.migrate is None else self.plan.migrate(url)
            if applied:
                self.say(f"  applied {len(applied)} migrations")
                restart_api(self.folder, supervisor, check_api)
        if Part.VALKEY in self.plan.parts:
            self._start(supervisor, valkey.NAME, lambda: valkey.check_queue(settings.require_redis()))
        if Part.API in self.plan.parts:
            analyst.ensure_analyst(*api, secrets.analyst_password)
        write_connection(self.folder, settings)
        if self.plan.seed is not None:
            self.plan.seed(settings)

    def _make_api_schemas(self, url: str, secrets: StackSecrets) -> None:
        installed = installation.find_installation()
        if postgres.read_schema_version(url) == installed.name:
            return
        superuser = postgres.superuser_variables(self.ports[Part.POSTGRES], secrets)
        server.make_schemas(self.folder, installed, secrets, superuser)
        postgres.note_schema_version(url, installed.name)

    def _start(self, supervisor: Supervisor, name: str, check: Check | None) -> None:
        began = time.monotonic()
        start_program(self.folder, supervisor, name, check)
        self.say(f"  {name:<10} ready in {time.monotonic() - began:.1f} s")

    def _choose_ports(self, state: StackState, page_port: int | None) -> dict[str, int]:
        names = [part.value for part in Part if part not in {Part.WORKER, Part.PAGES}] if self.plan.embedded else []
        ports = choose_ports(names, {name: port for name, port in state.ports.items() if port != page_port})
        return ports if page_port is None else ports | {Part.PAGES.value: page_port}

    def _make_programs(self) -> Iterator[Program]:
        parts, root = self.plan.parts, self.plan.root
        if self.secrets is not None:
            yield postgres.database_program(self.folder, self.ports[Part.POSTGRES])
            if Part.API in parts:
                installed = installation.install_api(self.say)
                database = postgres.api_variables(self.ports[Part.POSTGRES], self.secrets)
                yield server.api_program(self.folder, installed, self.ports[Part.API], self.secrets, database)
            if Part.VALKEY in parts:
                yield valkey.queue_program(self.folder, self.ports[Part.VALKEY], self.secrets)
        if Part.SIMULATOR in parts:
            yield application.simulator_program(root, self.ports[Part.SIMULATOR], self.settings)
        if Part.WORKER in parts:
            yield from application.worker_programs(root, self.settings)
        if Part.PAGES in parts:
            yield application.pages_program(root, self.ports[Part.PAGES], self.settings)


def start_program(folder: StackFolder, supervisor: Supervisor, name: str, check: Check | None) -> None:
    """Start one program and wait until it is healthy; raise StackError with the end of its log if it never is."""
    supervisor.start(name)
    deadline = time.monotonic() + HEALTH_SECONDS
    problem: str | None = "it has not answered yet"
    while time.monotonic() < deadline:
        status = supervisor.read_statuses()[name]
        if not status.runs:
            problem = f"it ended ({status.detail})"
            break
        problem = check() if check is not None else None if status.state == "RUNNING" else status.detail
        if problem is None:
            return
        time.sleep(0.05)
    log = folder.logs / f"{name}.log"
    message = f"{name} did not start: {problem}.\nIts log, {log}, ends with:\n{read_log_end(log)}\n"
    raise StackError(message + "Correct the cause, then start again; `brightrun doctor` checks each part.")


def restart_api(folder: StackFolder, supervisor: Supervisor, check: Check) -> None:
    """Restart the API: it reads the tables only once, when it starts."""
    supervisor.stop(server.NAME)
    start_program(folder, supervisor, server.NAME, check)
