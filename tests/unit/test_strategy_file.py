"""Strategy files: what they say, what is wrong with them in words, and reloading."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from ledger.errors import UsageError
from ledger.reasons import Reason
from ledger.types import Address
from node.admission import Evidence, Need, Question, Verdict, needs_of, verdict
from node.strategy.catalogue import find_strategy
from node.strategy.combine import AllOf, AnyOf, Staleness
from node.strategy.rules import Allow, Balance, Decay, Deny, Names
from node.strategy.thesis import Thesis
from node.strategy_file import FileStrategy, load_strategy, parse, parse_file

HOME, HOST = Address(b"\x01" * 20), Address(b"\x02" * 20)
FILE = Path("careful.toml")
FULL = f"""
name = "mine"
version = 4

[ledger]
fresh_seconds = 5
grace_seconds = 7
stale = "accept"

[[rule]]
use = "deny"
nodes = {{ "0x{"01" * 20}" = true, "0x{"02" * 20}" = 2030-01-31T12:00:00Z }}

[[rule]]
use = "names"
accept = ["cc *"]

[[rule]]
any = [{{ use = "decay", half_life = 3 }}, {{ use = "allow" }}]
"""


class Clock:
    time = 100.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def ask(strategy: FileStrategy | AllOf, name: str = "cc a.c") -> Reason:
    evidence = Evidence(1, 1, 1, 0.0)
    return strategy.decide(Question(HOME, HOST, name, evidence, 0, now=1)).reason


def test_a_file_says_everything() -> None:
    parsed = parse(FULL, FILE)
    assert parsed == AllOf(
        "mine/4",
        (
            Deny({HOME: None, HOST: 1_896_091_200}),
            Names(accept=("cc *",)),
            AnyOf((Decay(3), Allow({}))),
        ),
        Staleness(5, 7, True),
    )


def test_the_defaults_fail_closed() -> None:
    parsed = parse('[[rule]]\nuse = "half"', FILE)
    assert (parsed.name, parsed.staleness) == ("careful/1", Staleness(30, 120, False))


RULE = '[[rule]]\nuse = "half"\n'


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("rule = [", "is no TOML", "Correct it"),
        ("", "there are no rules", "[[rule]]"),
        ("colour = 1", "there is no key 'colour'", "ledger, name, rule, version"),
        (f"version = true\n{RULE}", "'version' has the wrong type (bool)", "version = 2"),
        (f"name = 3\n{RULE}", "'name' has the wrong type (int)", "name ="),
        ("rule = 3", "'rule' has the wrong type (int)", "half"),
        ("rule = [3]", "[[rule]] 1: the value of 'rule' has the wrong type", "use"),
        ("[[rule]]\ncredit = 3", "[[rule]] 1: it does not say which rule", "use"),
        ('[[rule]]\nuse = "kind"', "[[rule]] 1: There is no strategy 'kind'", "Installed are"),
        (f'{RULE}[[rule]]\nuse = "balance"\ndebt = 1', "[[rule]] 2: there is no key", "credit"),
        ('[[rule]]\nuse = "thesis"\nmax_age = 1', "no key 'max_age'", "none"),
        ('[[rule]]\nuse = "balance"\ncredit = "a"', "'credit' has the wrong type (str)", "30"),
        ('[[rule]]\nuse = "balance"\ncredit = 1.5', "'credit' has the wrong type (float)", "30"),
        ('[[rule]]\nuse = "balance"\ncredit = -1', "'credit' is negative", "from 0"),
        ('[[rule]]\nuse = "decay"\nhalf_life = 0', "'half_life' is 0", "from 1"),
        ('[[rule]]\nuse = "pairs"\npercent = 1', "'percent' is not between 2 and 100", "= 20"),
        ('[[rule]]\nuse = "pairs"\npercent = 101', "'percent' is not between 2 and", "= 20"),
        ('[[rule]]\nuse = "pairs"\nfree = "all"', "'free' has the wrong type (str)", "30"),
        ('[[rule]]\nuse = "pairs"\nshare = 1', "no key 'share'", "free, percent"),
        ('[[rule]]\nuse = "names"\naccept = "cc"', "'accept' has the wrong type (str)", "cc *"),
        ('[[rule]]\nuse = "names"\naccept = [1]', "'accept' has the wrong type (int)", "cc *"),
        ('[[rule]]\nuse = "deny"\nnodes = ["0x"]', "'nodes' has the wrong type", "true"),
        ('[[rule]]\nuse = "deny"\nnodes = {"0x12" = true}', "'0x12' in 'nodes' is no", "40"),
        (
            f'[[rule]]\nuse = "deny"\nnodes = {{"0x{"01" * 20}" = 2030-01-31}}',
            "says neither true nor a time",
            "time zone",
        ),
        (
            f'[[rule]]\nuse = "deny"\nnodes = {{"0x{"01" * 20}" = 2030-01-31T00:00:00}}',
            "says neither true nor a time",
            "time zone",
        ),
        ('[[rule]]\nuse = "newcomers"', "'newcomers' alone would refuse", "any"),
        ("[[rule]]\nany = []", "the group is empty", "any"),
        ('[[rule]]\nany = [{use = "half"}]\ncredit = 1', "there is no key 'credit'", "any"),
        ("[[rule]]\nany = [{any = []}]", "[[rule]] 1.any 1: it does not say", "use"),
        (f"ledger = 3\n{RULE}", "'ledger' has the wrong type", "fresh_seconds"),
        (f"[ledger]\nfresh = 3\n{RULE}", "[ledger]: there is no key 'fresh'", "fresh_seconds"),
        (f'[ledger]\nstale = "maybe"\n{RULE}', "'stale' says neither", "reject"),
        (f"[ledger]\nfresh_seconds = -3\n{RULE}", "'fresh_seconds' is negative", "from 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, FILE)
    assert said in caught.value.message
    assert caught.value.message.startswith("careful.toml")
    assert hint in caught.value.hint


def test_an_unreadable_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    for content in (None, b"\xff", b"#" * (2 << 20)):
        file = tmp_path / "x.toml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError, match=r"x\.toml"):
            parse_file(file)


def test_the_command_line_takes_names_and_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(RULE, "utf-8")
    assert isinstance(load_strategy("thesis", Clock()), Thesis)
    assert load_strategy(str(file), Clock()).name == "mine/1"
    with pytest.raises(UsageError, match="cannot be read"):
        load_strategy(str(tmp_path / "none.toml"), Clock())


def test_a_rule_alone_is_guarded_against_old_data() -> None:
    alone = find_strategy("balance")
    assert isinstance(alone, AllOf)
    assert (alone.name, alone.rules) == ("balance/1", (Balance(),))


REFUSE = '[[rule]]\nuse = "names"\nrefuse = ["*"]\n'


def test_a_changed_file_is_read_again_after_a_second(tmp_path: Path) -> None:
    file, clock = tmp_path / "mine.toml", Clock()
    file.write_text(RULE, "utf-8")
    strategy = FileStrategy(file, clock)
    assert ask(strategy) is Reason.ACCEPTED
    file.write_text(f"version = 2\n{REFUSE}", "utf-8")
    clock.time += 0.9
    assert ask(strategy) is Reason.ACCEPTED
    clock.time += 0.2
    assert (ask(strategy), strategy.name) == (Reason.POLICY, "mine/2")
    file.write_text('[[rule]]\nuse = "balance"\n', "utf-8")
    clock.time += 1
    assert needs_of(strategy) == {Need.PAIR}


def test_a_broken_file_keeps_the_old_rules_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "mine.toml", Clock()
    file.write_text(REFUSE, "utf-8")
    strategy = FileStrategy(file, clock)
    with caplog.at_level(logging.ERROR):
        file.write_text("[[rule", "utf-8")
        for _ in range(3):
            clock.time += 1
            assert ask(strategy) is Reason.POLICY
        assert len(caplog.records) == 1
        assert "mine/1 stays in force" in caplog.text
        file.unlink()
        for _ in range(3):
            clock.time += 1
            assert ask(strategy) is Reason.POLICY
    assert len(caplog.records) == 2
    file.write_text(RULE, "utf-8")
    clock.time += 1
    assert ask(strategy) is Reason.ACCEPTED


def test_the_documented_file_is_right(project: Path) -> None:
    text = (project / "docs/strategies.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    parsed = parse(example, FILE)
    assert (parsed.name, parsed.staleness) == ("careful/2", Staleness())
    assert [rule.name for rule in parsed.rules] == ["deny/1", "names/1", "balance/1", "any"]


def test_every_installed_strategy_is_documented_with_its_defaults(project: Path) -> None:
    text = (project / "docs/strategies.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for point in entry_points(group="kudos.strategies"):
        (row,) = [row for row in rows if f"`{point.name}`" in row.split("|")[1]]
        rule = point.load()
        for key in fields(rule) if is_dataclass(rule) else ():
            assert f"`{key.name}`" in row
            if isinstance(key.default, int):
                assert f"({key.default})" in row


@dataclass(frozen=True, slots=True)
class Picky:
    """A plug-in with a field that no file can set."""

    limit: float = 1.0
    name = "picky/1"

    def decide(self, question: Question) -> Verdict:
        return verdict(self.name, Reason.POLICY, question, limit=int(self.limit))


def test_a_plug_ins_odd_fields_cannot_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.strategy_file.find_class", lambda name: Picky)
    assert ask(parse('[[rule]]\nuse = "picky"', FILE)) is Reason.POLICY
    with pytest.raises(UsageError, match="'limit' cannot be set in a file"):
        parse('[[rule]]\nuse = "picky"\nlimit = 2.0', FILE)
