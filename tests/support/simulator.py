"""The simulated Claude in a thread, and prompts for it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from core.domain.scaffolding.prompt import Prompt, render_prompt
from core.embedded.simulator.app import LATENCY_SPREAD, SimulatorOptions, create_app
from core.embedded.simulator.faults import parse_fault_spec
from core.embedded.simulator.rate_limits import OUTPUT_TOKENS_PER_MINUTE
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics


def make_prompt(arc_key: str = "shame_to_acceptance", persona_number: int = 0, topic_number: int = 0) -> Prompt:
    arc = next(arc for arc in load_emotional_arcs() if arc.arc_key == arc_key)
    template = next(template for template in load_prompt_templates() if template.emotional_arc_id == arc.id)
    return render_prompt(template, load_personas()[persona_number], arc, load_training_topics()[topic_number])


@contextmanager
def running_simulator(
    faults: str = "",
    *,
    seed: int = 0,
    latency_seconds: float = 0.0,
    latency_spread: float = LATENCY_SPREAD,
    output_tokens_per_minute: int = OUTPUT_TOKENS_PER_MINUTE,
) -> Iterator[str]:
    options = SimulatorOptions(
        seed=seed,
        latency_seconds=latency_seconds,
        latency_spread=latency_spread,
        output_tokens_per_minute=output_tokens_per_minute,
        fault_rules=parse_fault_spec(faults),
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(options), log_level="critical", timeout_graceful_shutdown=1, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
