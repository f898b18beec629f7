"""Who speaks, in the words of various tools."""

from collections.abc import Mapping
from enum import StrEnum

from core.domain.verdict.conversation import Role
from core.domain.verdict.limits import LONGEST_LABEL


class Voice(StrEnum):
    """The source of a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL_CALL = "tool_call"  #: the assistant's, to a tool: data
    TOOL = "tool"  #: a tool's answer: data

    @property
    def role(self) -> Role | None:
        """The side of the conversation that the message is on."""
        match self:
            case Voice.USER:
                return Role.USER
            case Voice.ASSISTANT | Voice.TOOL_CALL:
                return Role.ASSISTANT
            case Voice.SYSTEM | Voice.TOOL:
                return None


_KNOWN: Mapping[str, Voice] = {
    **dict.fromkeys(("user", "human", "prompter"), Voice.USER),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "model", "bot", "ai", "claude", "chatbot", "gemini", "bard", "bing", "llm"),
        Voice.ASSISTANT,
    ),
    **dict.fromkeys(("system", "developer"), Voice.SYSTEM),
    **dict.fromkeys(("function_call", "tool_call", "tool_calls"), Voice.TOOL_CALL),
    **dict.fromkeys(
        (
            "tool",
            "function",
            "observation",
            "ipython",
            "environment",
            "tool_response",
            "tool_result",
            "tool_results",
            "tool_output",
            "function_response",
            "function_result",
            "function_output",
        ),
        Voice.TOOL,
    ),
}
_LIKELY: Mapping[Role, frozenset[str]] = {
    Role.USER: frozenset(
        (
            *("client", "customer", "patient", "student", "learner", "employee", "player", "caller", "visitor", "buyer"),
            *("seeker", "help_seeker", "requester", "asker", "questioner", "interviewer", "person", "question", "q"),
            *("speaker1", "speaker_1", "user1", "usr", "guest"),
        )
    ),
    Role.ASSISTANT: frozenset(
        (
            *("advisor", "adviser", "agent", "doctor", "physician", "therapist", "counselor", "counsellor", "teacher"),
            *("instructor", "tutor", "coach", "mentor", "consultant", "planner", "banker", "expert", "operator"),
            *("representative", "rep", "support", "supporter", "helper", "respondent", "answerer", "interviewee", "answer"),
            *("character", "npc", "response", "speaker2", "speaker_2", "sys", "a", "staff"),
        )
    ),
}
_SHOWN_NAMES, _SHOWN_LENGTH = 4, 40
ROLE_WORDS = (Voice.USER, Voice.ASSISTANT, Voice.SYSTEM, Voice.TOOL)
"""The roles that names can be mapped to."""


class RoleNames:
    """Finds out what a role's name means; `given` are names that the analyst has mapped."""

    def __init__(self, given: Mapping[str, Voice] | None = None) -> None:
        self._voices = {**_KNOWN, **{normalise_role(name): voice for name, voice in (given or {}).items()}}

    def find(self, name: str) -> Voice | None:
        """Return who speaks; None if the name is unknown."""
        return self._voices.get(normalise_role(name))


def normalise_role(name: str) -> str:
    """Return a role's name in the form that is compared: `Function-Call` and `function_call` are equal."""
    return name[:LONGEST_LABEL].strip().lower().replace("-", "_").replace(" ", "_").strip("<|>_:[]")


def describe_strangers(names: Mapping[str, int]) -> str | None:
    """Return a message about unknown role names, with the option that maps them; None if there are none.

    The likely meaning is suggested, not assumed, since an agent may be either.
    """
    if not names:
        return None
    shown = sorted(names, key=lambda name: -names[name])[:_SHOWN_NAMES]
    said = " and ".join(f"{name[:_SHOWN_LENGTH]!r} ({names[name]:,} turns)" for name in shown)
    pairs = ",".join(f"{name[:_SHOWN_LENGTH]}={_suggest_role(name) or 'user|assistant|tool|system'}" for name in shown)
    return f"roles that are neither user nor assistant: {said}. Say who is meant, as with --roles {pairs}"


def _suggest_role(name: str) -> Role | None:
    plain = normalise_role(name)
    return next((role for role, names in _LIKELY.items() if plain in names), None)
