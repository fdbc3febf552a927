"""Kill runs and see that nothing is lost: python scripts/kill_runs.py.

Trainings, by one process and by two, with and without a curriculum, evaluations and an
experiment's training are killed (SIGKILL) at random moments, and inside every save, and go on by
the documented command. What they end with is compared to the last bit with what ends unkilled. A
run that was killed before its first checkpoint starts afresh, and says so.

A process is a fork of this one, which has imported everything: a start takes no time. Those that a
distributed run and an experiment start themselves are processes from the ground up.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

import __main__
from badger_graph.cli import evaluate_main, fit_main, program
from badger_graph.experiments.trainings import Training, train
from badger_graph.files import PARTIAL, append_line, require_outputs, write_json
from badger_graph.logs import MEASUREMENTS, read_measurements
from badger_graph.machine import machine

SMALL = [
    *("--config", "smoke", "--evaluate", "false", "--batch_size", "4", "--num_steps", "4"),
    *("--trainer.val_check_interval", "5", "--measurements.measures", "{output_errors: 10}"),
    *("--measurements.num_tasks", "8"),
]
RUNS = {
    "fit": ["--max_steps", "50"],
    "curriculum": [
        *("--max_steps", "50", "--curriculum", "one_more_output", "--curriculum.last", "4"),
        *("--curriculum.threshold", "5", "--curriculum.window", "4", "--num_experts", "6"),
    ],
    "distributed": [
        *("--max_steps", "20", "--devices", "2", "--trainer.accelerator", "cpu"),
        *("--trainer.strategy", "ddp"),
    ],
}
EXPERIMENT = Training("killed", " ".join(SMALL[:2] + SMALL[4:8]), 0, 50)

MOMENTS = ("first byte", "half-way", "before the swap", "after the swap")

COMPARED = ("global_step", "state_dict", "optimizer_states", "lr_schedulers", "badger_graph")

PATIENCE = 300
"""Seconds after which a process that should end is called stuck."""


class Kill(NamedTuple):
    """A kill in the midst of a save: of which file, the how manyeth time, and when."""

    file: str
    time: int
    moment: str


class Process:
    """A fork that does something in a folder, as the leader of a group of its own."""

    def __init__(self, folder: Path, action: Callable[[], None]) -> None:
        self._printed = folder / "printed.txt"
        self._from = self._printed.stat().st_size if self._printed.exists() else 0
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._live(folder, action)

    def _live(self, folder: Path, action: Callable[[], None]) -> None:
        code = 1
        try:
            os.setsid()
            os.chdir(folder)
            printed = os.open(self._printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            action()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Its exit status, negative after a kill; none when it goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        return None

    def kill(self, group: bool) -> int:
        """Kill it, or all that it started, too; its exit status."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def printed(self) -> str:
        return self._printed.read_text(errors="replace")[self._from :]


def die_in_a_save(kill: Kill) -> None:
    """Let this process kill itself: what it leaves is what a kill at that moment leaves."""
    replace, left = os.replace, [kill.time]

    def hit(file: str | Path) -> bool:
        left[0] -= Path(file).name == kill.file
        return left[0] < 0

    def dying_replace(partial: Any, file: Any) -> None:
        if str(partial).endswith(PARTIAL) and hit(file):
            if kill.moment == "after the swap":
                replace(partial, file)
            elif kill.moment != "before the swap":
                size = os.path.getsize(partial)
                os.truncate(partial, size // 2 if kill.moment == "half-way" else 0)
            os.kill(os.getpid(), signal.SIGKILL)
        replace(partial, file)

    def dying_append(file: Path, line: str) -> None:
        if hit(f"{file} line"):
            with file.open("a") as lines:
                lines.write(line[: len(line) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        append_line(file, line)

    mock.patch("os.replace", dying_replace).start()
    mock.patch("badger_graph.callbacks.measurements.append_line", dying_append).start()


class Scenario(NamedTuple):
    """Something that is killed and goes on.

    Attributes:
        start: what is typed first, and again where nothing was kept.
        resume: what is typed after a kill.
        digest: what it ended with.
        group: whether a kill takes the processes that it started.
    """

    start: Callable[[], None]
    resume: Callable[[], None]
    digest: Callable[[Path], dict[str, str]]
    group: bool = False


def scenarios(home: Path) -> dict[str, Scenario]:
    """Everything that is killed, by name; what is evaluated was trained in a folder."""
    checkpoint = home / "run" / "checkpoints" / "last.ckpt"
    found = {}
    for name, arguments in RUNS.items():
        typed = [*SMALL, *arguments, "--run_dir", "run"]
        found[name] = Scenario(
            lambda typed=typed: fit_main(typed),  # type: ignore[misc]
            lambda: fit_main(["--run_dir", "run", "--ckpt_path", "last"]),
            lambda folder: digest_of_run(folder / "run"),
        )

    def evaluation() -> None:
        typed = ["--folder", "out", "--num_tasks", "8", "--figures", "false"]
        evaluate_main([str(checkpoint), *typed, "--num_steps", "40"])

    def experiment() -> None:
        train([EXPERIMENT], Path("runs"))

    def results(folder: Path) -> dict[str, str]:
        names = ("evaluation.json", "rollouts.npz")
        return {name: sha256((folder / "out" / name).read_bytes()) for name in names}

    def trained(folder: Path) -> dict[str, str]:
        run = EXPERIMENT.folder(folder / "runs")
        done = json.loads((run / "done.json").read_text())
        json.loads((run / "training.json").read_text())
        return digest_of_run(run) | {"diverged": str(done["diverged"])}

    found["evaluation"] = Scenario(evaluation, evaluation, results)
    found["experiment"] = Scenario(experiment, experiment, trained, group=True)
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of_run(run: Path) -> dict[str, str]:
    """A hash of each thing that must not depend on kills."""
    found = {}
    for path in sorted(run.glob("checkpoints/*.ckpt")):
        checkpoint = torch.load(path, weights_only=True)
        curriculum = {name: value for name, value in checkpoint.items() if "curriculum" in name}
        for name in COMPARED:
            found[f"{path.name} {name}"] = sha256(plain_bytes(checkpoint[name]))
        found[f"{path.name} curriculum"] = sha256(plain_bytes(curriculum))
    if (run / MEASUREMENTS).is_file():
        rows = read_measurements(run)
        found["measurements"] = sha256(json.dumps(rows).encode())
    return found


def plain_bytes(value: Any) -> bytes:
    """Nested data and tensors as bytes: equal bits, equal bytes."""
    if isinstance(value, dict):
        return b"{%b}" % b",".join(plain_bytes(k) + b":" + plain_bytes(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return b"[%b]" % b",".join(map(plain_bytes, value))
    if isinstance(value, torch.Tensor):
        bits = io.BytesIO(value.detach().contiguous().view(-1).numpy().tobytes())
        return repr((value.dtype, tuple(value.shape))).encode() + bits.getvalue()
    return repr(value).encode()


def finish(scenario: Scenario, folder: Path) -> tuple[list[str], bool]:
    """Go on by the documented command to the end: what went wrong, and whether afresh."""
    process = Process(folder, scenario.resume)
    code, afresh = process.wait(), False
    if code == 2 and "--ckpt_path last needs" in process.printed():
        afresh = True
        process = Process(folder, scenario.start)
        code = process.wait()
    if code is None:
        process.kill(group=True)
        return ["stuck"], afresh
    if code != 0:
        return [f"exit status {code}: {process.printed()[-600:]}"], afresh
    left = [str(path.relative_to(folder)) for path in folder.rglob(f"*{PARTIAL}")]
    return [f"left behind: {', '.join(left)}"] if left else [], afresh


def differences(given: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What differs in two digests."""
    names = sorted(given.keys() | expected.keys())
    return [f"{name} differs" for name in names if given.get(name) != expected.get(name)]


def saves(name: str) -> Iterator[Kill]:
    """A kill inside every save of a scenario: the first of a file, and a later one."""
    files: dict[str, dict[str, tuple[int, ...]]] = {
        "evaluation": {"evaluation.json": (0,), "rollouts.npz": (0,)},
        "experiment": {"training.json": (0,), "done.json": (0,)},
        "distributed": {"best.ckpt": (0,), "last.ckpt": (0, 2), "config.yaml": (0,)},
        "fit": {
            "best.ckpt": (0, 2),
            "last.ckpt": (0, 3),
            "config.yaml": (0,),
            MEASUREMENTS: (0,),
        },
        "curriculum": {
            "best.ckpt": (0, 1),
            "last.ckpt": (0, 3),
            "stage0.ckpt": (0,),
            "stage1.ckpt": (0,),
        },
    }
    # Those that start processes from the ground up take their time, and save as the others do.
    moments = MOMENTS[1:3] if name in ("distributed", "experiment") else MOMENTS
    for file, counts in files[name].items():
        for count in counts:
            yield from (Kill(file, count, moment) for moment in moments)
    if name == "fit":
        yield from (Kill(f"{MEASUREMENTS} line", count, "half-way") for count in (0, 2))


def killed_in_a_save(scenario: Scenario, folder: Path, kill: Kill) -> tuple[list[str], bool]:
    """Start, die in a save, and go on."""

    def dying() -> None:
        die_in_a_save(kill)
        scenario.start()

    process = Process(folder, dying)
    code = process.wait()
    if code != -signal.SIGKILL:
        process.kill(group=True) if code is None else None
        return [f"no such save, exit status {code}: {process.printed()[-600:]}"], False
    return finish(scenario, folder)


def killed_at_random(
    scenario: Scenario, folder: Path, chance: random.Random, seconds: float, kills: int
) -> tuple[list[str], bool, list[float]]:
    """Start, kill at random moments, each time going on, and go on to the end."""
    moments: list[float] = []
    action, afresh = scenario.start, False
    while len(moments) < kills:
        after = chance.uniform(0, seconds)
        process = Process(folder, action)
        code = process.wait(after)
        if code is None:
            code = process.kill(scenario.group)
        if code == -signal.SIGKILL:
            moments.append(round(after, 3))
        elif code == 2 and "--ckpt_path last needs" in process.printed():
            action, afresh = scenario.start, True
            continue
        elif code != 0:
            return [f"exit status {code}: {process.printed()[-600:]}"], afresh, moments
        action = scenario.resume
    problems, again = finish(scenario, folder)
    return problems, afresh or again, moments


def kill_runs(
    kinds: list[str] | None = None,
    runs: int = 5,
    kills: int = 3,
    saves_too: bool = True,
    seed: int = 0,
    out: str = "results/reliability/kills.json",
) -> None:
    """Kill everything, let it go on, and count.

    Args:
        kinds: what is killed; all: fit, curriculum, distributed, evaluation, experiment.
        runs: of each kind, that are killed at random moments.
        kills: of each of these runs.
        saves_too: whether runs are killed inside their saves, too.
        seed: of the moments.
        out: where to write the JSON.

    Raises:
        ValueError: for an unknown kind, or a number below 1.
    """
    if runs < 1 or kills < 1:
        raise ValueError(f"runs and kills must be at least 1, got {runs} and {kills}")
    require_outputs(out)
    torch.set_num_threads(1)
    # A distributed run starts its other processes by these.
    sys.argv = [str(Path(__file__).with_name("fit.py"))]
    __main__.__spec__ = None
    known = scenarios(Path("unknown"))
    wanted = list(known) if kinds is None else kinds
    for kind in wanted:
        if kind not in known:
            raise ValueError(f"kinds must be some of {', '.join(known)}, got {kind!r}")
    command = f"python scripts/kill_runs.py --runs {runs} --kills {kills} --seed {seed}"
    command += "" if saves_too else " --saves_too false"
    for kind in wanted:
        with tempfile.TemporaryDirectory() as root:
            part = Part(kind, Path(root))
            part.kill_at_random(runs, kills, random.Random(f"{kind} {seed}"))
            if saves_too:
                part.kill_in_saves()
        summary = keep(Path(out), kind, {"command": f"{command} --kinds [{kind}]", **part.counts()})
        print(f"{kind}: {json.dumps(part.counts())}", flush=True)
    print(json.dumps({name: value for name, value in summary.items() if name != "kinds"}, indent=1))


def keep(file: Path, kind: str, counts: dict[str, Any]) -> dict[str, Any]:
    """Write the counts of a kind beside those of the others, and what they sum to."""
    others = json.loads(file.read_text())["kinds"] if file.is_file() else {}
    kinds = {**others, kind: counts}
    names = ("random_kills", "kills_in_saves", "runs", "same_bits", "started_afresh", "seconds")
    summary = {
        "machine": f"{machine(torch.device('cpu'))}, {os.cpu_count()} cores",
        **{name: sum(one[name] for one in kinds.values()) for name in names},
        "failures": [failure for one in kinds.values() for failure in one["failures"]],
        "kinds": kinds,
    }
    write_json(file, summary)
    return summary


class Part:
    """All kills of one kind, counted, against one run that nothing happens to."""

    def __init__(self, kind: str, root: Path) -> None:
        self._begun = time.monotonic()
        self._kind, self._root = kind, root
        self._numbers = dict.fromkeys(
            ("random_kills", "kills_in_saves", "runs", "same_bits", "started_afresh"), 0
        )
        self._failures: list[str] = []
        self._scenario = scenarios(self._whole("fit") if kind == "evaluation" else root)[kind]
        start = time.monotonic()
        whole = self._whole(kind)
        self._seconds = time.monotonic() - start
        self._expected = self._scenario.digest(whole)

    def counts(self) -> dict[str, Any]:
        """What happened so far, with the failures, and how long it took."""
        seconds = round(time.monotonic() - self._begun)
        return {**self._numbers, "seconds": seconds, "failures": self._failures}

    def _whole(self, kind: str) -> Path:
        """The folder in which nothing happens to a run."""
        folder = self._folder(f"whole {kind}")
        scenario = self._scenario if kind == self._kind else scenarios(folder)[kind]
        process = Process(folder, scenario.start)
        if process.wait() != 0:
            raise RuntimeError(f"{kind} fails unkilled: {process.printed()[-2000:]}")
        return folder

    def kill_at_random(self, runs: int, kills: int, chance: random.Random) -> None:
        for number in range(runs):
            folder = self._folder(f"random{number}")
            problems, afresh, moments = killed_at_random(
                self._scenario, folder, chance, self._seconds, kills
            )
            self._numbers["random_kills"] += len(moments)
            self._count(f"killed after {moments} s", folder, problems, afresh)

    def kill_in_saves(self) -> None:
        for number, kill in enumerate(saves(self._kind)):
            folder = self._folder(f"save{number}")
            problems, afresh = killed_in_a_save(self._scenario, folder, kill)
            self._numbers["kills_in_saves"] += 1
            what = f"save {kill.time + 1} of {kill.file}, {kill.moment}"
            self._count(what, folder, problems, afresh)

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True)
        return folder

    def _count(self, what: str, folder: Path, problems: list[str], afresh: bool) -> None:
        if not problems:
            problems = differences(self._scenario.digest(folder), self._expected)
        self._numbers["runs"] += 1
        self._numbers["same_bits"] += not problems
        self._numbers["started_afresh"] += afresh
        if problems:
            self._failures.append(f"{self._kind}, {what}: {'; '.join(problems)}")


if __name__ == "__main__":
    program(kill_runs)
