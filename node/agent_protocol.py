"""What another program's scheduler says to its agent, one line of JSON each way (docs/agent.md).

    {"v":1,"id":7,"method":"decide","home":"0x…"}
    {"v":1,"id":7,"result":{"accept":true,…}}
    {"v":1,"id":7,"error":"usage","message":"…","hint":"…"}

Bytes in, values out; no sockets here. Both ends use these types: ``node.agent_client`` is the other
one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from ledger.errors import (
    ChainError,
    CorruptData,
    KudosError,
    PeerError,
    PeerTimeout,
    SetupError,
    UsageError,
)

VERSION = 1
MAX_LINE = 1 << 20
"""Bytes of a line, its end included."""
MAX_WAIT = 60.0
MAX_HOSTS = 1_000

AddressText = Annotated[str, msgspec.Meta(pattern="^0[xX][0-9a-fA-F]{40}$")]
DigestText = Annotated[str, msgspec.Meta(pattern="^0[xX][0-9a-fA-F]{64}$")]
Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=(1 << 32) - 1)]
Name = Annotated[str, msgspec.Meta(max_length=4_096)]
Identifier = Annotated[str, msgspec.Meta(max_length=256)] | int | None
Role = Literal["home", "host"]
StateName = Literal["asked", "accepted", "rejected", "confirmed", "done", "lost"]
RejectionName = Literal[
    "REPUTATION", "POLICY", "CAPACITY", "TOOLCHAIN", "LIMITS", "STALE_LEDGER", "MALFUNCTION"
]


class AgentError(KudosError):
    """The agent cannot do what its caller asks; ``code`` is the reply's ``error``."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class TaskFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a scheduler knows of a task before it decides; what it does not know is 0."""

    name: Name = ""
    cpu_seconds: Natural = 0
    memory_mib: Natural = 0


class Question(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="method",
    tag=str.lower,
):
    """What every question may carry."""

    v: Literal[1]
    id: Identifier = None


class Hello(Question, frozen=True):
    """Who is this agent, on which ledger?"""


class Decide(Question, frozen=True):
    """Shall I take this task from that home? ``load`` is how many I run for others; the agent's
    own count when it is left out."""

    home: AddressText
    task: TaskFacts = TaskFacts()
    load: Natural | None = None


class Rank(Question, frozen=True):
    """Which of these hosts (default: those that are connected) to send a task to, best first."""

    hosts: Annotated[list[AddressText], msgspec.Meta(max_length=MAX_HOSTS)] | None = None
    task: TaskFacts = TaskFacts()


class Kudos(Question, frozen=True):
    """A node's verified Kudos, now or as of a block."""

    node: AddressText
    at_block: Natural | None = None


class Explain(Question, frozen=True):
    """Where a node's Kudos come from."""

    node: AddressText


class Request(Question, frozen=True):
    """Home: signs a REQUEST and hands it to the host's agent. The task is either a digest that
    means something to the caller alone, or a descriptor that others can run again."""

    host: AddressText
    name: Name
    task_digest: DigestText | None = None
    descriptor: dict[str, Any] | None = None
    cpu_seconds: Positive | None = None
    memory_mib: Positive | None = None
    output_kib: Positive | None = None
    deadline_seconds: Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400)] = 900


class Accept(Question, frozen=True):
    """Host: answers a request with ACCEPTED."""

    request_id: DigestText


class Reject(Question, frozen=True):
    """Host: answers a request with REJECTED."""

    request_id: DigestText
    reason: RejectionName = "POLICY"


class Confirm(Question, frozen=True):
    """Home: confirms the acceptance; the host may start."""

    request_id: DigestText


class Result(Question, frozen=True):
    """Host: seals what came out of the task and signs RESULT."""

    request_id: DigestText
    result_digest: DigestText | None = None
    descriptor: dict[str, Any] | None = None


class Open(Question, frozen=True):
    """Home: opens the mark once the RESULT is final, and says what it was."""

    request_id: DigestText


class State(Question, frozen=True):
    """Where a migration stands; with ``wait_seconds``, as soon as it is no longer in ``since``."""

    request_id: DigestText
    since: StateName | None = None
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT)] = 0.0


class Migrations(Question, frozen=True):
    """The migrations that are not at their end, oldest first."""

    role: Role | None = None
    state: StateName | None = None


AnyQuestion = (
    Hello
    | Decide
    | Rank
    | Kudos
    | Explain
    | Request
    | Accept
    | Reject
    | Confirm
    | Result
    | Open
    | State
    | Migrations
)


class ErrorReply(msgspec.Struct, frozen=True):
    error: str
    message: str
    hint: str
    v: int = VERSION
    id: Identifier = None


class _Address(msgspec.Struct, frozen=True):
    """What can be saved of a line that is no question: where to send the error."""

    id: Identifier = None


_questions = msgspec.json.Decoder(AnyQuestion)
_addresses = msgspec.json.Decoder(_Address)
_encoder = msgspec.json.Encoder()

Reply = TypeVar("Reply")

HINTS = "docs/agent.md has every method with its fields and an example."


def decode(line: bytes) -> AnyQuestion:
    """The question in a line; AgentError when it is none."""
    try:
        question: AnyQuestion = _questions.decode(line)
    except msgspec.ValidationError as error:
        raise AgentError("usage", f"This is no question: {error}.", HINTS) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        hint = "Send one JSON object per line, in UTF-8."
        raise AgentError("bad_json", f"This line is no JSON: {error}.", hint) from None
    return question


def identifier_in(line: bytes) -> Identifier:
    """The id of a line that may be no question; None when there is none to find."""
    try:
        return _addresses.decode(line).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def encode(identifier: Identifier, result: object) -> bytes:
    """The line of an answer."""
    return _encoder.encode({"v": VERSION, "id": identifier, "result": result}) + b"\n"


def encode_error(identifier: Identifier, error: KudosError) -> bytes:
    """The line of an error; whose fault it is stands in ``error``."""
    hint = error.hint or "The agent's log says more."
    return _encoder.encode(ErrorReply(_code(error), error.message, hint, id=identifier)) + b"\n"


_CODES: tuple[tuple[type[KudosError], str], ...] = (
    (UsageError, "usage"),
    (PeerTimeout, "peer_timeout"),
    (PeerError, "peer"),
    (ChainError, "chain"),
    (CorruptData, "corrupt_data"),
    (SetupError, "setup"),
)


def _code(error: KudosError) -> str:
    if isinstance(error, AgentError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), "internal")
