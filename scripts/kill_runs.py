"""Kill runs and see that nothing is lost: python scripts/kill_runs.py.

Trainings, by one process and by two, with and without a curriculum, evaluations and an
experiment's training are killed (SIGKILL) at random moments, and inside every save, and go on by
the documented command. What they end with is compared to the last bit with what ends unkilled. A
run that was killed before its first checkpoint starts afresh, and says so.

A process is a fork of this one, which has imported everything: a start takes no time. Those that a
distributed run and an experiment start themselves are processes from the ground up.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.context import ForkProcess
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
from topologies.checks import check_choice, check_sizes

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

NUMBERS = ("random_kills", "kills_in_saves", "runs", "same_bits", "started_afresh")
"""What is counted."""

PATIENCE = 300
"""Seconds after which a process that should end is called stuck."""


class Kill(NamedTuple):
    """A kill in the midst of a save: of which file, the how manyeth time, and when."""

    file: str
    time: int
    moment: str


class Process(ForkProcess):
    """A fork that does something in a folder, as the leader of a group of its own."""

    def __init__(self, folder: Path, action: Callable[[], None]) -> None:
        super().__init__()
        self._folder, self._action = folder, action
        self._printed = folder / "printed.txt"
        self._from = self._printed.stat().st_size if self._printed.exists() else 0
        self.start()

    def run(self) -> None:
        os.setsid()
        os.chdir(self._folder)
        printed = os.open(self._printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        self._action()

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Its exit status, negative after a kill; none when it goes on."""
        self.join(seconds)
        return self.exitcode

    def end(self, group: bool) -> int | None:
        """Kill it, or all that it started, too; its exit status."""
        if group:
            with suppress(ProcessLookupError):
                os.killpg(self.pid or 0, signal.SIGKILL)
        self.kill()
        return self.wait()

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
    digest: Callable[[Path], dict[str, bytes]]
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

    def results(folder: Path) -> dict[str, bytes]:
        names = ("evaluation.json", "rollouts.npz")
        return {name: (folder / "out" / name).read_bytes() for name in names}

    def trained(folder: Path) -> dict[str, bytes]:
        run = EXPERIMENT.folder(folder / "runs")
        done = json.loads((run / "done.json").read_text())
        json.loads((run / "training.json").read_text())
        return digest_of_run(run) | {"diverged": plain_bytes(done["diverged"])}

    found["evaluation"] = Scenario(evaluation, evaluation, results)
    found["experiment"] = Scenario(experiment, experiment, trained, group=True)
    return found


def digest_of_run(run: Path) -> dict[str, bytes]:
    """Each thing that must not depend on kills."""
    found = {}
    for path in sorted(run.glob("checkpoints/*.ckpt")):
        checkpoint = torch.load(path, weights_only=True)
        curriculum = {name: value for name, value in checkpoint.items() if "curriculum" in name}
        for name in COMPARED:
            found[f"{path.name} {name}"] = plain_bytes(checkpoint[name])
        found[f"{path.name} curriculum"] = plain_bytes(curriculum)
    if (run / MEASUREMENTS).is_file():
        found["measurements"] = plain_bytes(read_measurements(run))
    return found


def plain_bytes(value: Any) -> bytes:
    """Nested data and tensors as bytes: equal bits, equal bytes."""
    if isinstance(value, dict):
        return b"{%b}" % b",".join(plain_bytes(k) + b":" + plain_bytes(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return b"[%b]" % b",".join(map(plain_bytes, value))
    if isinstance(value, torch.Tensor):
        kind = repr((value.dtype, tuple(value.shape))).encode()
        return kind + value.detach().contiguous().view(-1).numpy().tobytes()
    return repr(value).encode()


class Run:
    """A scenario in a folder of its own, which starts, is killed and goes on.

    Attributes:
        killed: when it was, in words.
        afresh: whether it went on by a new start.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        folder.mkdir()
        self.killed: list[str] = []
        self.afresh = False
        self._scenario, self._folder = scenario, folder
        self._action = scenario.start

    def attempt(self, seconds: float | None = None, kill: Kill | None = None) -> bool:
        """Start, or go on by the documented command.

        Args:
            seconds: after which it is killed.
            kill: in the midst of a save.

        Returns:
            Whether it was killed.

        Raises:
            RuntimeError: when it ends otherwise but well, or not at all.
        """

        def act() -> None:
            if kill is not None:
                die_in_a_save(kill)
            self._action()

        process = Process(self._folder, act)
        code = process.wait(PATIENCE if seconds is None else seconds)
        if code is None:
            code = process.end(group=self._scenario.group or seconds is None)
            if seconds is None:
                raise RuntimeError("stuck")
        if code == 2 and "--ckpt_path last needs" in process.printed():
            self._action, self.afresh = self._scenario.start, True
            return self.attempt(seconds, kill)
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"exit status {code}: {process.printed()[-600:]}")
        self._action = self._scenario.resume
        return code != 0

    def kill_at_random(self, chance: random.Random, seconds: float, kills: int) -> None:
        """Kill it so many times within so many seconds, each time going on."""
        while len(self.killed) < kills:
            after = chance.uniform(0, seconds)
            if self.attempt(after):
                self.killed.append(f"after {after:.3f} s")

    def kill_in_a_save(self, kill: Kill) -> None:
        self.killed.append(f"in save {kill.time + 1} of {kill.file}, {kill.moment}")
        if not self.attempt(kill=kill):
            raise RuntimeError("no such save")

    def finish(self) -> dict[str, bytes]:
        """Go on to the end: what it ended with."""
        if self.attempt():
            raise RuntimeError("killed by another")
        left = [str(path.relative_to(self._folder)) for path in self._folder.rglob(f"*{PARTIAL}")]
        if left:
            raise RuntimeError(f"left behind: {', '.join(left)}")
        return self._scenario.digest(self._folder)


def differences(given: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """What differs in two digests."""
    names = sorted(given.keys() | expected.keys())
    return [f"{name} differs" for name in names if given.get(name) != expected.get(name)]


def saves(name: str) -> Iterator[Kill]:
    """A kill inside every save of a scenario: the first of a file, and a later one where said."""
    files = {
        "evaluation": {"evaluation.json": 0, "rollouts.npz": 0},
        "experiment": {"training.json": 0, "done.json": 0},
        "distributed": {"best.ckpt": 0, "last.ckpt": 2, "config.yaml": 0},
        "fit": {"best.ckpt": 2, "last.ckpt": 3, "config.yaml": 0, MEASUREMENTS: 0},
        "curriculum": {"best.ckpt": 1, "last.ckpt": 3, "stage0.ckpt": 0, "stage1.ckpt": 0},
    }
    # Those that start processes from the ground up take their time, and save as the others do.
    moments = MOMENTS[1:3] if name in ("distributed", "experiment") else MOMENTS
    for file, later in files[name].items():
        for count in sorted({0, later}):
            yield from (Kill(file, count, moment) for moment in moments)
    if name == "fit":
        yield from (Kill(f"{MEASUREMENTS} line", count, "half-way") for count in (0, 2))


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
    check_sizes(runs=(runs, 1), kills=(kills, 1))
    known = scenarios(Path("unknown"))
    wanted = list(known) if kinds is None else kinds
    for kind in wanted:
        check_choice("kinds", kind, known)
    require_outputs(out)
    torch.set_num_threads(1)
    # A distributed run starts its other processes by these.
    sys.argv = [str(Path(__file__).with_name("fit.py"))]
    __main__.__spec__ = None
    command = f"python scripts/kill_runs.py --runs {runs} --kills {kills} --seed {seed}"
    command += "" if saves_too else " --saves_too false"
    for kind in wanted:
        plans = [None] * runs + (list(saves(kind)) if saves_too else [])
        with tempfile.TemporaryDirectory() as root:
            counts = count(kind, Path(root), plans, kills, random.Random(f"{kind} {seed}"))
        summary = keep(Path(out), kind, {"command": f"{command} --kinds [{kind}]", **counts})
        print(f"{kind}: {json.dumps(counts)}", flush=True)
    print(json.dumps({name: value for name, value in summary.items() if name != "kinds"}, indent=1))


def count(
    kind: str, root: Path, plans: list[Kill | None], kills: int, chance: random.Random
) -> dict[str, Any]:
    """What came of killing runs of a kind, held against one that nothing happens to.

    Args:
        kind: what is killed.
        root: a folder for all runs.
        plans: when each run is killed; none: at random moments.
        kills: so many of these.
        chance: draws them.
    """
    begun = time.monotonic()
    numbers, failures = dict.fromkeys(NUMBERS, 0), []
    if kind == "evaluation":
        Run(scenarios(root)["fit"], root / "trained").finish()
    scenario = scenarios(root / "trained")[kind]
    start = time.monotonic()
    expected = Run(scenario, root / "whole").finish()
    seconds = time.monotonic() - start
    for number, kill in enumerate(plans):
        run = Run(scenario, root / str(number))
        try:
            if kill is None:
                run.kill_at_random(chance, seconds, kills)
            else:
                run.kill_in_a_save(kill)
            problems = differences(run.finish(), expected)
        except RuntimeError as error:
            problems = [str(error)]
        numbers["random_kills" if kill is None else "kills_in_saves"] += len(run.killed)
        numbers["runs"] += 1
        numbers["same_bits"] += not problems
        numbers["started_afresh"] += run.afresh
        if problems:
            failures.append(f"{kind}, killed {' and '.join(run.killed)}: {'; '.join(problems)}")
    return {**numbers, "seconds": round(time.monotonic() - begun), "failures": failures}


def keep(file: Path, kind: str, counts: dict[str, Any]) -> dict[str, Any]:
    """Write the counts of a kind beside those of the others, and what they sum to."""
    others = json.loads(file.read_text())["kinds"] if file.is_file() else {}
    kinds = {**others, kind: counts}
    summary = {
        "machine": f"{machine(torch.device('cpu'))}, {os.cpu_count()} cores",
        **{name: sum(one[name] for one in kinds.values()) for name in (*NUMBERS, "seconds")},
        "failures": [failure for one in kinds.values() for failure in one["failures"]],
        "kinds": kinds,
    }
    write_json(file, summary)
    return summary


if __name__ == "__main__":
    program(kill_runs)
