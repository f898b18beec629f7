"""`python -m core.embedded.simulator`: serve the simulated Claude until it is stopped."""

import argparse
import logging
import math
import sys
from collections.abc import Sequence

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core.embedded.simulator.app import LATENCY_SPREAD, SimulatorOptions, create_app
from core.embedded.simulator.faults import FaultSpecError, parse_fault_spec
from core.embedded.simulator.rate_limits import OUTPUT_TOKENS_PER_MINUTE
from core.embedded.simulator.scene import list_shipped_keys

_SHUTDOWN_SECONDS = 1
_GENERAL_SCOPES = frozenset({"structured", "unstructured", "long_prompt"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; return 2 if the flags are wrong."""
    flags = _build_parser().parse_args(arguments)
    try:
        rules = parse_fault_spec(flags.faults)
    except FaultSpecError as error:
        sys.stderr.write(f"{error}\nCorrect --faults (setting BRIGHTRUN_SIM_FAULTS) and start again.\n")
        return 2
    for scope in sorted({scope for rule in rules for scope in rule.scopes} - _GENERAL_SCOPES - list_shipped_keys()):
        if not scope.startswith("claude-"):
            sys.stderr.write(f"Note: the fault scope {scope!r} is no shipped key; it applies only if you have added one.\n")
    options = SimulatorOptions(
        seed=flags.seed,
        latency_seconds=flags.latency_seconds,
        latency_spread=flags.latency_spread,
        output_tokens_per_minute=flags.output_tokens_per_minute,
        fault_rules=rules,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_not_planned_disconnect)
    uvicorn.run(
        TrustedHostMiddleware(create_app(options), allowed_hosts=[flags.host, "localhost"]),
        host=flags.host,
        port=flags.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core.embedded.simulator", description="Simulated Claude")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency-seconds", type=_parse_positive, default=0.0, help="mean time of a reply")
    parser.add_argument(
        "--latency-spread", type=_parse_positive, default=LATENCY_SPREAD, help="of its logarithm; 0: always the mean"
    )
    parser.add_argument(
        "--output-tokens-per-minute", type=int, default=OUTPUT_TOKENS_PER_MINUTE, help="more are refused with 429"
    )
    parser.add_argument("--faults", default="", help="kind[@scope[+scope]]=rate, comma separated")
    return parser


def _parse_positive(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return number


def _is_not_planned_disconnect(record: logging.LogRecord) -> bool:
    return "returned without completing response" not in record.getMessage()


if __name__ == "__main__":
    sys.exit(main())
