"""The ``wasm`` family: a module run again under counted fuel, on any machine (protocol section 4).

Result and fuel are both part of the answer: the fuel stands in the report on standard error, and
the result digest covers that as well as the output. ``parameters`` is the result digest that the
home found when it ran the module itself, before it asked anybody; zero when it marked a task whose
result it does not know. A fresh run decides in either case: a home that committed to a wrong answer
must not cost an honest host its Kudos.

For homes without WebAssembly of their own there are modules to make tasks from. Everything about
such a task is deterministic in its seed: which module, the constants inside of it, its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from wasmtime import wat2wasm

from canaries.commitment import ORDINARY, PLANTED, Mark
from canaries.family import field_of
from canaries.puzzle import number
from canaries.replay import Replay

UNKNOWN = bytes(32)
"""The parameters of a canary whose result its home does not know."""

FUEL_PER_STEP: Mapping[str, int] = {"chain": 32, "mandelbrot": 51, "sieve": 2_149_788}
"""What one step of each module takes, measured; the test holds them to a fifth."""

LOWEST_FUEL, HIGHEST_FUEL = 10_000_000, 1_000_000_000_000

RunHere = Callable[["MadeTask"], int]
"""Runs such a task here and returns the fuel that it took."""


@dataclass(frozen=True, slots=True)
class MadeTask:
    """``fuel`` is an estimate of what it takes; ``bound`` is surely enough."""

    name: str
    module: bytes
    data: bytes
    fuel: int

    @property
    def bound(self) -> int:
        return 2 * self.fuel


class Wasm(Replay):
    """Holds when a fresh run gives the same output for the same fuel."""

    name = "wasm"


def mark_for(is_canary: bool, known_result: bytes, salt: bytes) -> Mark:
    """The mark of a wasm task that is a canary or none; both are made, whichever is wanted."""
    planted = Mark(PLANTED, field_of(Wasm.name), known_result, salt)
    ordinary = Mark(ORDINARY, bytes(32), bytes(32), salt)
    return planted if is_canary else ordinary


def module_of(seed: bytes) -> str:
    """Which module the tasks of a seed are made from."""
    names = sorted(FUEL_PER_STEP)
    return names[number(seed, b"wasm module", 64) % len(names)]


def generate(seed: bytes, fuel: int) -> MadeTask:
    """The task of this seed (at least 32 bytes, secret) that takes about so much fuel; ValueError
    out of the range."""
    return _make(module_of(seed), seed, fuel)


def _make(name: str, seed: bytes, fuel: int) -> MadeTask:
    if not LOWEST_FUEL <= fuel <= HIGHEST_FUEL:
        raise ValueError(f"fuel must be {LOWEST_FUEL} to {HIGHEST_FUEL}, not {fuel}")
    # Up to a quarter more: two tasks of one difficulty do not share their input either.
    steps = fuel // FUEL_PER_STEP[name]
    steps += number(seed, b"wasm steps", 64) % max(steps // 4, 1)
    text = (files("canaries.modules") / f"{name}.wat").read_text("ascii")
    for place, value in _constants(seed).items():
        text = text.replace(place, f"{value:#018x}")
    data = steps.to_bytes(8, "little")
    return MadeTask(name, bytes(wat2wasm(text)), data, steps * FUEL_PER_STEP[name])


def fuel_for(seconds: float, fuel_per_second: float) -> int:
    """What lasts so long on a machine that was calibrated, within the range."""
    return round(min(max(seconds * fuel_per_second, LOWEST_FUEL), HIGHEST_FUEL))


def calibrate(name: str, run: RunHere, clock: Callable[[], float], seconds: float = 0.5) -> float:
    """Fuel per second of this module on this machine: runs ever longer tasks until one takes
    ``seconds`` by ``clock`` (which counts in seconds), so that starting it hardly counts."""
    fuel = LOWEST_FUEL
    while fuel <= HIGHEST_FUEL:
        started = clock()
        taken = run(_make(name, fuel.to_bytes(32, "big"), fuel))
        spent = clock() - started
        if spent >= seconds:
            return taken / spent
        fuel *= 4
    raise ValueError("the clock stands still")


def _constants(seed: bytes) -> dict[str, int]:
    """What takes the place of each name in a module's text. Odd ones serve as multipliers: an even
    one would shift what it is to stir out of the word."""
    seeds = {f"SEED_{i}": number(seed, b"wasm constant %d" % i, 64) for i in range(4)}
    odd = {f"ODD_{i}": number(seed, b"wasm multiplier %d" % i, 64) | 1 for i in range(2)}
    return seeds | odd
