"""kill -9 at every single write to the vault: no opening is lost, none is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

from canaries.vault import Vault
from tests.integration.crash_vault import left, mark_of, modes

KILLS = 12


def check(directory: Path) -> int:
    """What left the home against what its vault says; how many canaries there were."""
    requests = {line["request"]: line["planted"] for line in left(directory, "request")}
    canaries = {request for request, planted in requests.items() if planted}
    openings: dict[str, set[str]] = {}
    for line in left(directory, "opening"):
        openings.setdefault(line["request"], set()).add(json.dumps([line["words"]]))
    assert set(openings) == canaries, "every canary that left was opened, and nothing else"
    assert all(len(told) == 1 for told in openings.values()), "each in one way only"
    with closing(Vault(directory / "vault.db")) as vault:
        assert vault.undelivered() == []
        for request in canaries:
            fixed = vault.opening(bytes.fromhex(request))
            assert fixed is not None
            assert fixed.sealed.mark == mark_of(int(request, 16))
            words = [fixed.result_id.hex(), fixed.sealed.mark.salt.hex(), fixed.opened_at]
            assert openings[request] == {json.dumps([words])}
    return len(canaries)


def test_a_home_killed_at_any_write_opens_every_canary_in_one_way(
    tmp_path: Path, project: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.crash_vault", tmp_path],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["survived"] and told["rounds"] > 20, "every point was tried"
    assert told["modes"] == ["0o600"], "the journal beside the vault is as closed as the vault"
    assert check(tmp_path) > told["rounds"]


def test_a_home_killed_at_any_moment_opens_every_canary_in_one_way(
    tmp_path: Path, project: Path
) -> None:
    """Not at chosen points but at any time, from outside."""
    random = Random(7)
    loop = (
        "import sys, itertools; from pathlib import Path;"
        "from tests.integration.crash_vault import live;"
        "start = int(sys.argv[2]); print('ready', flush=True);"
        "[live(Path(sys.argv[1]), start + n, 0) for n in range(int(sys.argv[3]))]"
    )
    start = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", loop, str(tmp_path), str(start), "1000"]
        with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as home:
            assert home.stdout is not None and home.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.02, 0.2))
            os.kill(home.pid, signal.SIGKILL)
            assert home.wait(timeout=30) == -signal.SIGKILL
        assert modes(tmp_path) in ([], ["0o600"])
        start += 1000
    # The last life is not killed: what earlier ones left open is opened by now.
    last = [sys.executable, "-c", loop, str(tmp_path), str(start), "1"]
    subprocess.run(last, cwd=project, stdout=subprocess.DEVNULL, timeout=60, check=True)
    assert check(tmp_path) >= KILLS // 2
