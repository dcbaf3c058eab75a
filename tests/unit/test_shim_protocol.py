"""Frames between shim and node: what is sent arrives, what is malformed is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.shim_protocol import (
    MAX_HEADER_BYTES,
    Blobs,
    Decoder,
    Input,
    Local,
    Message,
    Module,
    Need,
    Note,
    ProtocolError,
    Puzzle,
    Result,
    ResultFile,
    Task,
    encode,
)

texts = st.text(max_size=10)
numbers = st.integers(0, 2**40)
digests = st.binary(min_size=32, max_size=32)
data = st.binary(max_size=30)


def tuples(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=3).map(tuple)


messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Task,
        argv=tuples(texts),
        cwd=texts,
        env=tuples(st.tuples(texts, texts)),
        directories=tuples(texts),
        outputs=tuples(texts),
        inputs=tuples(st.builds(Input, texts, digests, numbers, numbers)),
        source=texts,
        process_name=texts,
        compiler=texts,
    ),
    st.builds(Need, tuples(digests)),
    st.builds(Blobs, tuples(data)),
    st.builds(Result, numbers, data, data, tuples(st.builds(ResultFile, texts, numbers, data))),
    st.builds(Local, texts),
    st.builds(Note, texts, texts, texts),
    st.builds(Puzzle, texts, numbers, numbers),
    st.builds(
        Module,
        data,
        data,
        numbers,
        numbers,
        numbers,
        numbers,
        process_name=texts,
        plant_within=numbers,
    ),
)


@given(st.lists(messages, max_size=4), st.integers(1, 50))
def test_messages_survive_any_fragmentation(sent: list[Message], piece: int) -> None:
    stream = b"".join(encode(message) for message in sent)
    decoder = Decoder()
    received: list[Message] = []
    for start in range(0, len(stream), piece):
        received += decoder.feed(stream[start : start + piece])
    assert received == sent
    assert [type(message) for message in received] == [type(message) for message in sent]


@given(messages, st.data())
def test_a_part_of_a_frame_is_no_message(message: Message, draw: st.DataObject) -> None:
    frame = encode(message)
    cut = draw.draw(st.integers(0, len(frame) - 1))
    assert list(Decoder().feed(frame[:cut])) == []


@given(st.binary(max_size=200))
def test_noise_is_refused_or_waited_for(noise: bytes) -> None:
    decoder = Decoder()
    try:
        for message in decoder.feed(noise):
            encode(message)
    except ProtocolError as error:
        assert error.hint


MODULE = {
    **{"fuel": 1, "cpu_seconds": 1, "memory_mib": 1, "output_kib": 1},
    **{"process_name": "a.wasm", "plant_within": 0},
}


def test_a_module_may_be_empty() -> None:
    (message,) = Decoder().feed(frame({"kind": "module", "blobs": [0, 0], **MODULE}))
    assert message == Module(b"", b"", 1, 1, 1, 1, "a.wasm")


def frame(header: object, blobs: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "big") + text + blobs


@pytest.mark.parametrize(
    "bad",
    [
        (0).to_bytes(4, "big"),
        (MAX_HEADER_BYTES + 1).to_bytes(4, "big"),
        b"\0\0\0\2no",
        frame([]),
        frame({"kind": "local", "reason": "x"}),
        frame({"kind": "local", "blobs": [], "reason": 5}),
        frame({"kind": "local", "blobs": []}),
        frame({"kind": "local", "blobs": [1], "reason": "x"}, b"y"),
        frame({"kind": "unheard", "blobs": []}),
        frame({"kind": "blobs", "blobs": [-1]}),
        frame({"kind": "blobs", "blobs": [True]}, b"x"),
        frame({"kind": "blobs", "blobs": [2**40]}),
        frame({"kind": "blobs", "blobs": [2**26] * 5}),
        frame({"kind": "blobs", "blobs": [0] * 20_001}),
        frame({"kind": "need", "blobs": [], "digests": ["00"]}),
        frame({"kind": "need", "blobs": [], "digests": ["zz" * 32]}),
        frame({"kind": "result", "blobs": [0], "exit_status": 0, "outputs": []}),
        frame({"kind": "result", "blobs": [0, 0], "exit_status": 0, "outputs": [["/a", 1]]}),
        frame({"kind": "result", "blobs": [0, 0], "exit_status": "0", "outputs": []}),
        frame({"kind": "task", "blobs": [], "argv": "cc"}),
        frame({"kind": "note", "blobs": [], "what": "local", "reason": None, "process_name": ""}),
        frame({"kind": "module", "blobs": [0], **MODULE}),
        frame({"kind": "module", "blobs": [0, 0, 0], **MODULE}),
        frame({"kind": "module", "blobs": [0, 0], **MODULE, "plant_within": True}),
        frame({"kind": "module", "blobs": [0, 0], **MODULE, "fuel": "5"}),
        frame({"kind": "module", "blobs": [0, 0], **MODULE, "process_name": None}),
        frame({"kind": "puzzle", "blobs": [], "family": 5, "difficulty": 5, "within": 5}),
        frame({"kind": "puzzle", "blobs": [], "family": "dlog", "difficulty": 5.0, "within": 5}),
        frame({"kind": "puzzle", "blobs": [0], "family": "dlog", "difficulty": 5, "within": 5}),
    ],
)
def test_malformed_frames_are_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError, match="Malformed frame"):
        list(Decoder().feed(bad))


def test_what_is_too_large_is_not_even_encoded() -> None:
    with pytest.raises(ProtocolError, match="bytes of blobs"):
        encode(Blobs((bytes(2**26 + 1),)))
    with pytest.raises(ProtocolError, match="header"):
        encode(Local("x" * (MAX_HEADER_BYTES + 1)))
