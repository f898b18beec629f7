"""Conversations of our own making, in every format that the scanner reads."""

import json
from typing import Any

GOOD = (
    "I keep putting off my taxes.",
    "Let us look at one page together.",
    "That sounds doable.",
    "Good. Page one is income.",
)
CUT = (GOOD[0], "What stops you is the \\", GOOD[2], GOOD[3])
ROLES = ("user", "assistant")


def alternate(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(ROLES[index % 2], text) for index, text in enumerate(texts)]


def make_messages(texts: tuple[str, ...], **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in alternate(texts)], **members}


def make_sharegpt(texts: tuple[str, ...], **members: Any) -> dict[str, Any]:
    names = {"user": "human", "assistant": "gpt"}
    return {"conversations": [{"from": names[role], "value": text} for role, text in alternate(texts)], **members}


def make_written(texts: tuple[str, ...]) -> dict[str, Any]:
    return {
        "conversation_metadata": {"client_persona": "P", "session_context": "S", "conversation_phase": "F"},
        "turns": [
            {
                "turn_number": number,
                "role": role,
                "content": text,
                "emotional_context": {"primary_emotion": "calm", "intensity": 0.5},
            }
            for number, (role, text) in enumerate(alternate(texts), start=1)
        ],
    }


def make_api_message(text: str, stop_reason: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "usage": {"input_tokens": 10, "output_tokens": 20},
    }


def make_pairs(texts: tuple[str, ...], conversation_id: str, *, user_turns: bool = True) -> list[dict[str, Any]]:
    """As the predecessor wrote them: the history ends with the current input, and a user's turn has no response."""
    turns = alternate(texts)
    pairs: list[dict[str, Any]] = []
    for index, (role, text) in enumerate(turns):
        if role == "user" and not user_turns:
            continue
        history = [{"turn": number, "role": r, "content": t} for number, (r, t) in enumerate(turns[:index], start=1)]
        pairs.append(
            {
                "id": f"pair_{index}",
                "conversation_id": conversation_id,
                "turn_number": index + 1,
                "conversation_history": history,
                "current_user_input": text if role == "user" else turns[index - 1][1],
                "target_response": None if role == "user" else text,
            }
        )
    return pairs


def make_enriched(texts: tuple[str, ...], conversation_id: str = "category") -> dict[str, Any]:
    return {
        "dataset_metadata": {"name": "set", "conversations": 1},
        "consultant_profile": {"name": "Elena"},
        "training_pairs": make_pairs(texts, conversation_id),
        "input_parameters": {"persona": "planner"},
    }


def make_full_file(*conversations: tuple[str, ...]) -> dict[str, Any]:
    return {
        "training_file_metadata": {"format": "brightrun-lora-v4", "version": "4.0.0"},
        "consultant_profile": {"name": "Elena"},
        "conversations": [
            {
                "conversation_metadata": {"conversation_id": f"conv-{number}", "total_turns": len(texts)},
                "training_pairs": make_pairs(texts, "category"),
            }
            for number, texts in enumerate(conversations)
        ],
    }


def write_lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def write_v4_lines(*conversations: tuple[str, ...], conversation_id: str = "category") -> str:
    pairs = [pair for texts in conversations for pair in make_pairs(texts, conversation_id, user_turns=False)]
    return write_lines({"_meta": {"format": "brightrun-lora-v4"}}, *pairs)
