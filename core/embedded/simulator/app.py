"""The simulator's routes: read a request, draw its fault, wait as long as Claude would, answer."""

import asyncio
import json
import math
import time
from collections import Counter, deque
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import Any, assert_never

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.domain.record import Record
from core.embedded.simulator.faults import FaultKind, FaultRule, draw_fault, hash_to_unit_interval
from core.embedded.simulator.message_request import ApiError, MessageRequest, check_headers, read_message_request
from core.embedded.simulator.rate_limits import OUTPUT_TOKENS_PER_MINUTE, RateLimits
from core.embedded.simulator.responses import build_error, build_message, compose_draft, count_tokens, make_seed
from core.embedded.simulator.scene import read_scene

LATENCY_SPREAD = 0.35
"""Of the logarithm of a reply's time: most take between half and twice the mean."""
_CALLS_KEPT = 100_000
_HANG_SECONDS_MAX = 3_600.0

_FAULT_ERRORS = {
    FaultKind.RATE_LIMIT: ApiError(
        status_code=429,
        error_type="rate_limit_error",
        message="This request would exceed your organization's rate limit. Please try again later.",
        retry_after_seconds=1,
    ),
    FaultKind.OVERLOADED: ApiError(status_code=529, error_type="overloaded_error", message="Overloaded"),
    FaultKind.SERVER_ERROR: ApiError(status_code=500, error_type="api_error", message="Internal server error"),
    FaultKind.ERROR_AS_200: ApiError(status_code=200, error_type="overloaded_error", message="Overloaded"),
    FaultKind.CONTENT_FILTER: ApiError(
        status_code=400, error_type="invalid_request_error", message="Output blocked by content filtering policy"
    ),
    FaultKind.USAGE_LIMIT: ApiError(
        status_code=400,
        error_type="invalid_request_error",
        message="You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC.",
    ),
    FaultKind.BAD_KEY: ApiError(status_code=401, error_type="authentication_error", message="invalid x-api-key"),
    FaultKind.NO_CREDIT: ApiError(
        status_code=400,
        error_type="invalid_request_error",
        message=(
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits."
        ),
    ),
}
_PAGE_BODY = "<p>Go back and try again.</p>" * 50
_FAULT_PAGES = {
    FaultKind.GATEWAY_PAGE: (520, "api.example.com | 520: Web server is returning an unknown error"),
    FaultKind.LOGIN_PAGE: (200, "Sign in - Web gateway"),
}


class SimulatorOptions(Record):
    """How the simulator behaves; `latency_seconds` is the mean time of a good reply, and without a spread of each."""

    seed: int = 0
    latency_seconds: float = 0.0
    latency_spread: float = LATENCY_SPREAD
    output_tokens_per_minute: int = OUTPUT_TOKENS_PER_MINUTE
    fault_rules: tuple[FaultRule, ...] = ()


def create_app(options: SimulatorOptions) -> Starlette:
    """Build the ASGI application; it keeps its counts in memory."""
    simulator = _Simulator(options)
    routes = [
        Route("/healthz", simulator.report_health),
        Route("/stats", simulator.report_stats),
        Route("/calls", simulator.report_calls),
        Route("/v1/messages", simulator.answer_message, methods=["POST"]),
        Route("/v1/messages/count_tokens", simulator.answer_token_count, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: simulator.answer_unknown_path})


class _BrokenOffResponse(Response):
    """Promises a complete body and sends none of it; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the ASGI signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})


class _Simulator:
    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self._limits = RateLimits(time.monotonic(), options.output_tokens_per_minute)
        self._attempts: Counter[bytes] = Counter()
        self._requests = 0
        self._invalid = 0
        self._token_counts = 0
        self._in_flight = 0
        self._in_flight_max = 0
        self._by_fault: Counter[FaultKind] = Counter()
        self._calls: deque[tuple[float, float]] = deque(maxlen=_CALLS_KEPT)

    async def report_health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "simulated": True})

    async def report_stats(self, _request: Request) -> Response:
        """Counts since the start: all message requests, those refused as invalid, faults by kind, concurrent calls."""
        return JSONResponse(
            {
                "requests": self._requests,
                "invalid": self._invalid,
                "count_tokens": self._token_counts,
                "in_flight": self._in_flight,
                "in_flight_max": self._in_flight_max,
                "by_fault": {kind.value: count for kind, count in sorted(self._by_fault.items())},
            }
        )

    async def report_calls(self, _request: Request) -> Response:
        """When the last calls came and were answered, in the order of the answers, in seconds since 1970."""
        return JSONResponse(list(self._calls))

    async def answer_unknown_path(self, _request: Request, _error: Exception) -> Response:
        return self._answer_error(ApiError(status_code=404, error_type="not_found_error", message="Not found"), "not-found")

    async def answer_token_count(self, request: Request) -> Response:
        self._token_counts += 1
        body = await request.body()
        parsed = check_headers(request.headers) or read_message_request(body, needs_max_tokens=False)
        if isinstance(parsed, ApiError):
            return self._answer_error(parsed, f"count-{self._token_counts}")
        return self._answer({"input_tokens": count_tokens(parsed.input_chars)}, f"count-{self._token_counts}")

    async def answer_message(self, request: Request) -> Response:
        arrived = time.time()
        self._requests += 1
        self._in_flight += 1
        self._in_flight_max = max(self._in_flight_max, self._in_flight)
        try:
            body = await request.body()
            parsed = check_headers(request.headers) or read_message_request(body)
            if isinstance(parsed, ApiError):
                self._invalid += 1
                return self._answer_error(parsed, f"invalid-{self._requests}")
            return await self._answer_valid(request, parsed, body)
        finally:
            self._in_flight -= 1
            self._calls.append((arrived, time.time()))

    async def _answer_valid(self, request: Request, parsed: MessageRequest, body: bytes) -> Response:
        body_key = blake2b(body, digest_size=16).digest()
        attempt = self._attempts[body_key]
        self._attempts[body_key] += 1
        name = f"{self._options.seed}:{body_key.hex()}:{attempt}"
        scene = read_scene(parsed.system, parsed.user)
        fault = draw_fault(self._options.fault_rules, scene.labels | parsed.labels, hash_to_unit_interval("fault", name))
        if fault is not None:
            self._by_fault[fault] += 1
            if (error := _FAULT_ERRORS.get(fault)) is not None:
                return self._answer_error(error, name)
            if fault in _FAULT_PAGES:
                status_code, title = _FAULT_PAGES[fault]
                page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{_PAGE_BODY}</body></html>"
                return HTMLResponse(page, status_code, self._make_headers(name))
            if fault is FaultKind.TIMEOUT:
                await _wait_until_client_leaves(request)
                return Response(status_code=504)
        if self._limits.is_exceeded(time.monotonic()):
            self._by_fault[FaultKind.RATE_LIMIT] += 1
            return self._answer_error(_FAULT_ERRORS[FaultKind.RATE_LIMIT], name)
        await self._wait_like_claude(name)
        draft = compose_draft(parsed, scene, fault, make_seed(self._options.seed, parsed), attempt)
        self._limits.take(count_tokens(parsed.input_chars), draft.output_tokens, time.monotonic())
        message = build_message(parsed, draft, f"msg_01{_make_id(name)}")
        return self._deliver(message, fault, name)

    def _deliver(self, message: dict[str, Any], fault: FaultKind | None, name: str) -> Response:
        whole = self._answer(message, name)
        match fault:
            case FaultKind.MALFORMED:
                half = bytes(whole.body)[: len(whole.body) // 2]
                return Response(half, 200, self._make_headers(name), "application/json")
            case FaultKind.DISCONNECT:
                return _BrokenOffResponse(bytes(whole.body), 200, self._make_headers(name), "application/json")
            case (
                None
                | FaultKind.MAX_TOKENS
                | FaultKind.CONTEXT_WINDOW
                | FaultKind.CUT_STRING
                | FaultKind.CUT_MID_WORD
                | FaultKind.CUT_JSON
                | FaultKind.REFUSAL
                | FaultKind.PAUSE_TURN
                | FaultKind.TOOL_USE
                | FaultKind.STOP_SEQUENCE
                | FaultKind.EMPTY
                | FaultKind.WRONG_ROLES
                | FaultKind.ESCAPED_TEXT
            ):
                return whole
            case (
                FaultKind.RATE_LIMIT
                | FaultKind.OVERLOADED
                | FaultKind.SERVER_ERROR
                | FaultKind.TIMEOUT
                | FaultKind.ERROR_AS_200
                | FaultKind.GATEWAY_PAGE
                | FaultKind.CONTENT_FILTER
                | FaultKind.BAD_KEY
                | FaultKind.NO_CREDIT
                | FaultKind.USAGE_LIMIT
                | FaultKind.LOGIN_PAGE
            ):
                raise AssertionError(f"{fault} is answered before a message is written")
            case _:
                assert_never(fault)

    async def _wait_like_claude(self, name: str) -> None:
        mean, spread = self._options.latency_seconds, self._options.latency_spread
        if mean > 0:
            rng = Random(f"latency:{name}")  # noqa: S311 - variety, not secrets
            await asyncio.sleep(rng.lognormvariate(math.log(mean) - spread**2 / 2, spread) if spread else mean)

    def _answer(self, body: dict[str, Any], name: str) -> Response:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Response(content, 200, self._make_headers(name), "application/json")

    def _answer_error(self, error: ApiError, name: str) -> Response:
        headers = self._make_headers(name, exhausted=error.retry_after_seconds is not None)
        if error.retry_after_seconds is not None:
            headers["retry-after"] = str(error.retry_after_seconds)
        return JSONResponse(build_error(error, headers["request-id"]), error.status_code, headers)

    def _make_headers(self, name: str, *, exhausted: bool = False) -> dict[str, str]:
        return {
            "request-id": f"req_01{_make_id(name)}",
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
            "x-brightrun-simulated": "true",
            **self._limits.describe(datetime.now(UTC), exhausted=exhausted),
        }


async def _wait_until_client_leaves(request: Request) -> None:
    # `receive` answers only when the client has gone: the request's body has been read to its end.
    try:
        await asyncio.wait_for(request.receive(), _HANG_SECONDS_MAX)
    except TimeoutError:
        return


def _make_id(name: str) -> str:
    return blake2b(name.encode(), digest_size=11).hexdigest()
