"""An accepted reply, parsed into turns."""

from enum import StrEnum

from core.domain.record import Record


class Role(StrEnum):
    """Who speaks in a turn."""

    USER = "user"
    ASSISTANT = "assistant"


class EmotionalContext(Record):
    """The emotion of one turn; intensity runs from 0 to 1."""

    primary_emotion: str
    secondary_emotion: str | None = None
    intensity: float


class Turn(Record):
    """One message of the conversation."""

    turn_number: int
    role: Role
    content: str
    emotional_context: EmotionalContext


class ConversationMetadata(Record):
    """What Claude says the conversation is."""

    client_persona: str
    session_context: str
    conversation_phase: str
    expected_outcome: str | None = None


class Conversation(Record):
    """A whole conversation as Claude wrote it: user and assistant in turn, the user first."""

    conversation_metadata: ConversationMetadata
    turns: tuple[Turn, ...]
