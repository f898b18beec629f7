"""Conversations as trees: each message names the one that it answers, and a message may have several answers.

The path to the last leaf (in ChatGPT's export to the current node) is the conversation; other branches are other answers.
Each message is judged once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.chat import KNOWN_ROLES, Talk, TooManyTurns, is_message, read_talk
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn, Passage
from core.domain.verdict.formats.roles import RoleNames
from core.domain.verdict.limits import LONGEST_LABEL, MOST_TURNS

PARENT_KEYS = ("parent_id", "parent_message_uuid", "parent_message_id", "parent_uuid", "parentId", "parent")
_NODE_KEYS = ("message_id", "uuid", "id")
_GROUP_KEYS = (
    "message_tree_id",
    "conversation_id",
    "thread_id",
    "session_id",
    "dialog_id",
    "dialogue_id",
    "chat_id",
    "conv_id",
    "conversationId",
)
_BRANCH = "branch"
_PARTIAL = ("in_progress", "finished_partial_completion")
_MOST_KNOWN = 200_000
"""How many rows are remembered with their conversation: 40 MB."""
_Key = str | int


class _Node:
    """A message within a tree."""

    __slots__ = ("before", "children", "depth", "is_shown", "parent", "turn")

    def __init__(self, turn: ImportedTurn | None, parent: "_Node | None", depth: int, before: Role | None) -> None:
        self.turn = turn
        self.parent = parent
        self.children: list[_Node] = []
        self.depth = depth
        self.before = before
        self.is_shown = False
        if parent is not None:
            parent.children.append(self)

    @property
    def next_depth(self) -> int:
        return self.depth if self.turn is None else self.depth + 1

    @property
    def last_role(self) -> Role | None:
        return self.before if self.turn is None else self.turn.role


class Tree:
    """The messages of one conversation in their places."""

    def __init__(self) -> None:
        self._nodes: dict[_Key, _Node] = {}
        self._order: list[_Node] = []
        self.system_messages = 0

    def __contains__(self, key: object) -> bool:
        return key in self._nodes

    def add(self, key: _Key | None, parent: _Key | None, talk: Talk, *, depth: int = 0, before: Role | None = None) -> None:
        """Add a message (or one that is not a turn); `depth` and `before` are for one whose parent is not in the tree."""
        above = None if parent is None else self._nodes.get(parent)
        turn = talk.turns[0] if talk.turns else None
        place = depth if above is None else above.next_depth
        node = _Node(turn, above, place, before if above is None else above.last_role)
        self.system_messages += talk.system_messages
        self._order.append(node)
        if len(self._order) > MOST_TURNS:
            raise TooManyTurns(f"more than {MOST_TURNS:,} turns in one conversation")
        if key is not None:
            self._nodes[key] = node

    def find_place(self, key: _Key) -> tuple[int, Role | None]:
        """Return the depth of an answer to a message, and who spoke last before it."""
        node = self._nodes[key]
        return node.next_depth, node.last_role

    def arrange(self, current: _Key | None = None) -> tuple[int, tuple[ImportedTurn, ...], tuple[Passage, ...]]:
        """Return the first turn and the turns of the conversation, and its other branches."""
        leaf = self._nodes.get(current) if current is not None else None
        leaf = leaf or next((node for node in reversed(self._order) if not node.children), None)
        if leaf is None:
            return 0, (), ()
        main = self._take_way(leaf)
        leaves = [node for node in self._order if not node.children and not node.is_shown]
        ways = [way for way in map(self._take_way, leaves) if any(node.turn for node in way)]
        passages = tuple(
            Passage(field=_BRANCH, turns=_list_turns(way), first_turn=way[0].depth, before=way[0].before) for way in ways
        )
        return main[0].depth, _list_turns(main), passages

    def _take_way(self, leaf: _Node) -> list[_Node]:
        """Return the path to a leaf, without messages shown before."""
        way: list[_Node] = []
        node: _Node | None = leaf
        while node is not None and not node.is_shown:
            node.is_shown = True
            way.append(node)
            node = node.parent
        return way[::-1]


def _list_turns(way: Sequence[_Node]) -> tuple[ImportedTurn, ...]:
    return tuple(node.turn for node in way if node.turn is not None)


def is_row(value: object) -> bool:
    """Whether a value is one message that says to which conversation it belongs."""
    if not is_message(value):
        return False
    members = cast("Mapping[str, object]", value)
    return any(key in members for key in (*PARENT_KEYS, *_GROUP_KEYS))


def are_branched(messages: Sequence[object]) -> bool:
    """Whether the messages of one conversation name their parents."""
    return any(isinstance(each, dict) and any(key in each for key in PARENT_KEYS) for each in messages)


def arrange_messages(
    messages: Sequence[object], names: RoleNames
) -> tuple[tuple[ImportedTurn, ...], tuple[Passage, ...], int]:
    """Read messages of one conversation that name their parents; one whose parent is missing answers the one before it."""
    tree = Tree()
    last: _Key | None = None
    for number, message in enumerate(messages):
        members = read_mapping(message)
        key = _find_key(members, _NODE_KEYS)
        parent = _find_key(members, PARENT_KEYS)
        key = number if key is None else key
        tree.add(key, parent if parent in tree else last, read_talk([message], names))
        last = key
    _, turns, passages = tree.arrange()
    return turns, passages, tree.system_messages


def read_export(record: Mapping[str, object], names: RoleNames) -> tuple[tuple[ImportedTurn, ...], tuple[Passage, ...], int]:
    """Read a conversation of ChatGPT's export: nodes by their ids, which name parent and children."""
    nodes = cast("Mapping[str, object]", record["mapping"])
    tree = Tree()
    waiting = [key for key in reversed(list(nodes)) if _parent_of(nodes[key]) not in nodes]
    done: set[str] = set()
    while waiting:
        key = waiting.pop()
        node = nodes.get(key)
        if key in done:
            continue
        done.add(key)
        members = read_mapping(node)
        message = members.get("message")
        tree.add(key, _parent_of(node), _read_node(message, names))
        children = members.get("children")
        if isinstance(children, list):
            waiting.extend(child for child in reversed(cast("list[object]", children)) if isinstance(child, str))
    current = record.get("current_node")
    _, turns, passages = tree.arrange(current if isinstance(current, str) else None)
    return turns, passages, tree.system_messages


def read_nested(prompt: Mapping[str, object], names: RoleNames) -> tuple[tuple[ImportedTurn, ...], tuple[Passage, ...], int]:
    """Read a message with its answers in `replies`, and theirs in theirs."""
    tree = Tree()
    waiting: list[tuple[Mapping[str, object], int | None]] = [(prompt, None)]
    number = 0
    while waiting:
        message, parent = waiting.pop()
        number += 1
        tree.add(number, parent, read_talk([message], names))
        replies = message.get("replies")
        if isinstance(replies, list):
            waiting.extend((read_mapping(each), number) for each in reversed(cast("list[object]", replies)))
    _, turns, passages = tree.arrange()
    return turns, passages, tree.system_messages


class RowAssembler:
    """Assembles rows of one message each into the conversations that they name, and drops each when the next begins.

    A later row of a conversation continues it: same number, and its place after its parent.
    """

    def __init__(self, numbers: Iterator[int], names: RoleNames = KNOWN_ROLES) -> None:
        self._numbers = numbers
        self._names = names
        self._places: dict[_Key, tuple[_Key | None, int, int, Role | None]] = {}
        self._groups: dict[_Key, tuple[int, int, Role | None]] = {}
        self._open: Tree | None = None
        self._group: _Key | None = None
        self._number = 0
        self._last: _Key | None = None
        self._labels: Mapping[str, str] = {}

    def add_row(self, row: Mapping[str, object], labels: Mapping[str, str]) -> ImportedConversation | None:
        """Take a row; return the conversation that it completes, if it does."""
        key, parent = _find_key(row, _NODE_KEYS), _find_key(row, PARENT_KEYS)
        group = _find_key(row, _GROUP_KEYS)
        is_linked = any(name in row for name in PARENT_KEYS)
        talk = read_talk([row], self._names)
        is_open = self._open is not None and (group == self._group if group is not None else parent in self._open)
        finished = None if is_open else self.close()
        if not is_open:
            self._begin(group, key, parent, labels)
        tree = cast("Tree", self._open)
        above = parent if is_linked else self._last
        depth, before = self._find_place(parent, group) if above not in tree else (0, None)
        node_key = -1 - len(self._places) if key is None else key
        tree.add(node_key, above, talk, depth=depth, before=before)
        self._last = node_key
        self._remember(node_key, tree)
        return finished

    def close(self) -> ImportedConversation | None:
        """Return the open conversation, if there is one."""
        tree, self._open = self._open, None
        self._last = None
        if tree is None:
            return None
        first_turn, turns, passages = tree.arrange()
        if self._group is not None and turns:
            self._groups[self._group] = (self._number, first_turn + len(turns), turns[-1].role)
        return ImportedConversation(
            id=self._number if self._group is None else self._group,
            number=self._number,
            turns=turns,
            first_turn=first_turn,
            passages=passages,
            system_messages=tree.system_messages,
            labels=self._labels,
        )

    def _begin(self, group: _Key | None, key: _Key | None, parent: _Key | None, labels: Mapping[str, str]) -> None:
        if len(self._places) + len(self._groups) > _MOST_KNOWN:
            self._places, self._groups = {}, {}
        known = self._places.get(parent) if parent is not None else None
        seen = self._groups.get(group) if group is not None else None
        if known is not None and known[0] == group:
            self._number = known[1]
        elif seen is not None:
            self._number = seen[0]
        else:
            self._number = next(self._numbers)
        self._open, self._group, self._labels = Tree(), group if group is not None else None, labels
        if group is None and known is not None:
            self._group = known[0]
        elif group is None and key is not None:
            self._group = key

    def _find_place(self, parent: _Key | None, group: _Key | None) -> tuple[int, Role | None]:
        known = self._places.get(parent) if parent is not None else None
        if known is not None:
            return known[2], known[3]
        seen = self._groups.get(group) if group is not None and parent is None else None
        return (0, None) if seen is None else seen[1:]

    def _remember(self, key: _Key, tree: Tree) -> None:
        self._places[key] = (self._group, self._number, *tree.find_place(key))


def _find_key(members: Mapping[str, object], names: Sequence[str]) -> _Key | None:
    for name in names:
        value = members.get(name)
        if isinstance(value, str):
            if value:
                return value[:LONGEST_LABEL]
        elif isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _parent_of(node: object) -> str | None:
    parent = read_mapping(node).get("parent")
    return parent if isinstance(parent, str) else None


def _is_hidden(message: Mapping[str, object]) -> bool:
    """Whether ChatGPT's pages do not show it: the system's empty message, settings and the like."""
    hidden = read_mapping(message.get("metadata")).get("is_visually_hidden_from_conversation")
    return bool(hidden) or message.get("weight") == 0


def _read_node(message: object, names: RoleNames) -> Talk:
    """A message of ChatGPT. One addressed to a tool is a call."""
    if not isinstance(message, dict) or _is_hidden(cast("Mapping[str, object]", message)):
        return Talk()
    members = cast("Mapping[str, object]", message)
    is_partial = members.get("status") in _PARTIAL
    talk = read_talk([{**members, "finish_reason": "interrupted"} if is_partial else members], names)
    if not talk.turns or not (talk.turns[0].content.strip() or talk.turns[0].parts):
        return Talk(system_messages=talk.system_messages)
    if members.get("recipient", "all") != "all":
        return Talk(turns=(replace(talk.turns[0], is_data=True),))
    return talk
