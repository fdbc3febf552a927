"""The command line: names to classes, and nothing else."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
import re
import sys
import warnings
from argparse import ArgumentError
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from jsonargparse import auto_cli
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.trainer import Trainer

from badger_graph.arguments import (
    CONFIGS,
    MOVED_ARGUMENTS,
    SHORT,
    check_moved,
    component_help,
    expand,
    import_modules,
    modules_named,
    overview,
    own_defaults,
    resolve_files,
    values_of,
)
from badger_graph.building import SAID_BY_AGENTS
from badger_graph.callbacks import LastCheckpoint, Measurements, StageCheckpoints
from badger_graph.evaluation import evaluate, print_evaluation
from badger_graph.files import LOCK, in_words, only_writer, require_writable, write_text
from badger_graph.library.load import begin_with
from badger_graph.library.resume import require_same_run
from badger_graph.library.upgrade import current
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.learner import MetaLearner
from badger_graph.runs import OWN, last_checkpoint, run_folder, start_afresh
from badger_graph.settings import check_settings, check_texts, refusals_of_libraries, too_large
from badger_graph.tasks import TaskFamily
from badger_graph.typing import Interface
from topologies import Topology
from topologies.checks import check, size

__all__ = ["SHORT", "BadgerCLI", "evaluate_main", "expand", "fit_main"]

SUBCOMMANDS = ("fit", "validate")

RUN_DIR = "BADGER_GRAPH_RUN_DIR"
"""Tells the other processes of a distributed run which folder the first one chose."""

HELP = ("-h", "--help")

HINT = "-h shows the flags, --topology.help random the arguments of one"

Result = TypeVar("Result")

USER_ERRORS = (ArgumentError, ValueError, MisconfigurationException, NonFiniteLossError)

WRONG, DIVERGED = 2, 3
"""Exit status of wrong arguments, and of a training that diverged."""


PARTS: dict[str, type] = {
    "checkpoint": ModelCheckpoint,
    "last_checkpoint": LastCheckpoint,
    "stage_checkpoints": StageCheckpoints,
    "early_stopping": EarlyStopping,
    "measurements": Measurements,
}
"""Callbacks of every run, and where their settings stand."""

SHAPE = {"model": MetaLearner, "trainer": Trainer, **PARTS}
"""What the sections of the settings of a run hold."""


class BadgerCLI(LightningCLI):
    """``fit`` and its sisters, with a folder for each run and an evaluation after the fit.

    While it lives, no other process writes the folder of its run.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with ExitStack() as self._locks:
            super().__init__(*args, **kwargs)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--run_dir", type=str | None, default=None, help="folder of the run; a new one in runs/"
        )
        parser.add_argument(
            "--threads",
            type=int,
            default=1,
            help="CPU threads of each process; more than one can make small agents much slower",
        )
        parser.add_argument(
            "--initial_policy",
            type=str | None,
            default=None,
            help="begin with the weights of this one, shipped or a checkpoint",
        )
        parser.add_argument(
            "--evaluate", type=bool, default=True, help="evaluate and draw after the fit"
        )
        for place, part in PARTS.items():
            parser.add_lightning_class_args(part, place)
        parser.add_instantiator(build_topology, Topology)
        parser.link_arguments("seed_everything", "model.seed", compute_fn=stream_seed)
        parser.link_arguments("seed_everything", "model.agent.birth.seed", compute_fn=stream_seed)
        parser.link_arguments(
            "model.task", "model.agent.interface", compute_fn=interface_of, apply_on="instantiate"
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        subcommands = LightningCLI.subcommands()
        return {name: subcommands[name] for name in SUBCOMMANDS}

    def _parse_ckpt_path(self) -> None:
        """A checkpoint may not change the configuration: Lightning would let it."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        check_settings(config)
        torch.set_num_threads(config.threads)
        # The other processes of a distributed run find the settings of the run themselves.
        sys.argv = [one for one in sys.argv if not one.startswith(f"--config={OWN}")]
        self.writes = self.subcommand == "fit" and not config.trainer.fast_dev_run
        if not self.writes:
            self.save_config_callback = None
            return
        self.run_dir = Path(choose_run_dir(config.run_dir, config.get("ckpt_path")))
        if is_first_process():
            self._locks.enter_context(writing(self.run_dir, config.get("ckpt_path")))
        for part in (config.checkpoint, config.last_checkpoint, config.stage_checkpoints):
            part.dirpath = str(self.run_dir / "checkpoints")
        config.trainer.default_root_dir = str(self.run_dir)

    def instantiate_classes(self) -> None:
        try:
            with refusals_of_libraries():
                super().instantiate_classes()
                optimizer = self.model.configure_optimizers()  # refuses what it cannot work with
            checkpoint = self._get(self.config, "ckpt_path")
            if checkpoint is not None:
                fits = self.subcommand == "fit"
                require_same_run(checkpoint, self.model, optimizer if fits else None)
            initial_policy = self._get(self.config, "initial_policy")
            if initial_policy is not None and checkpoint is None:
                begin_with(self.model.agent, initial_policy)
            self.model.check_processes(self.trainer.world_size)
            if self.subcommand == "fit":
                self.model.gradient.begin(self.trainer)  # says before other processes start
        except BaseException:
            if self.writes and is_first_process():
                remove_if_empty(self.run_dir)
            raise

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        if not self.writes:
            kwargs["logger"] = False
        elif self._get(self.config, "trainer").logger in (None, True):
            # A resumed run goes on in the next version_*: a CSVLogger empties an old one.
            kwargs["logger"] = [
                TensorBoardLogger(self.run_dir, name="", version=""),
                CSVLogger(self.run_dir, name="logs", flush_logs_every_n_steps=10),
            ]
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        if not (self.writes and self.trainer.is_global_zero):
            return
        checkpoint = self._get(self.config, "ckpt_path")
        if checkpoint is not None:
            file = run_folder(checkpoint) / "config.yaml"
            settings = f"settings from {file}" if file.is_file() else "no settings beside it"
            print(f"going on from {checkpoint}; {settings}")
        print(f"run folder: {self.run_dir}; executor: {self.model.executor}")

    def after_fit(self) -> None:
        if not (self.writes and self.trainer.is_global_zero and self._get(self.config, "evaluate")):
            return
        best = self.run_dir / "checkpoints" / "best.ckpt"
        if best.exists():
            print_evaluation(evaluate(str(best), folder=str(self.run_dir)))
            print(f"checkpoints, figures and numbers: {self.run_dir}")


class WholeConfig(SaveConfigCallback):
    """Writes the settings of a run into its folder, whole or not at all."""

    def save_config(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        write_text(
            Path(trainer.default_root_dir) / self.config_filename,
            self.parser.dump(self.config, skip_none=False),
        )


def is_first_process() -> bool:
    """Whether this process starts a run, and not one that helps it."""
    ranks = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
    return all(os.environ.get(rank, "0") == "0" for rank in ranks)


@contextmanager
def writing(run_dir: Path, checkpoint: str | None) -> Iterator[None]:
    """Be the only process that writes a run, which is new or goes on.

    Raises:
        ValueError: when another process writes it, or another run would be written over.
        OSError: when it cannot be written.
    """
    require_writable(run_dir / "checkpoints" / "last.ckpt")
    with only_writer(run_dir):
        goes_on = checkpoint is not None and run_folder(checkpoint) == run_dir.resolve()
        if not goes_on:
            start_afresh(run_dir)
        try:
            yield
        except NonFiniteLossError as error:
            raise NonFiniteLossError(f"{error}; {what_is_left(run_dir)}") from error


def what_is_left(run_dir: Path) -> str:
    """Where the weights from before an accident are."""
    last = last_checkpoint(run_dir, lambda _: None)
    if last is None:
        return "no checkpoint was written before"
    return f"{last} holds the weights from before"


def choose_run_dir(run_dir: str | None, checkpoint: str | None) -> str:
    """The folder of this run: as told, that of the checkpoint, or a new one in runs/.

    Raises:
        ValueError: when a launcher started this process and nobody told where to write.
    """
    first = "LOCAL_RANK" not in os.environ
    if run_dir is None and checkpoint is not None and Path(checkpoint).parent.name == "checkpoints":
        run_dir = str(run_folder(checkpoint))
    if run_dir is None and not first:
        if RUN_DIR not in os.environ:
            raise ValueError("a run started by a launcher needs --run_dir, got none")
        run_dir = os.environ[RUN_DIR]
    os.environ[RUN_DIR] = run_dir or new_run_dir()
    return os.environ[RUN_DIR]


def new_run_dir() -> str:
    """Make the next free folder in runs/; runs that start together get different ones."""
    numbers = [int(path.name) for path in Path("runs").glob("*") if path.name.isdigit()]
    for number in itertools.count(max(numbers, default=-1) + 1):
        try:
            (Path("runs") / str(number)).mkdir(parents=True)
        except FileExistsError:
            continue
        return str(Path("runs") / str(number))
    raise AssertionError("numbers never end")


def remove_if_empty(folder: Path) -> None:
    """Leave nothing behind of a run that did not begin."""
    if folder.is_dir() and [path.name for path in folder.iterdir()] == [LOCK]:
        (folder / LOCK).unlink()
    for path in (folder, folder.parent) if folder.parent == Path("runs") else (folder,):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def build_topology(kind: type[Topology], **arguments: Any) -> Topology:
    """A topology of what was typed; one that does not look at states is not told their size.

    The parser takes every topology for one that may be built later, once sizes are clear, and so
    leaves it to the agent to build one that it could not build itself, and to say why.

    Raises:
        ValueError: when an argument is missing, or from the topology.
    """
    signature = inspect.signature(kind)
    unasked = SAID_BY_AGENTS - signature.parameters.keys()
    own = {name: value for name, value in arguments.items() if name not in unasked}
    try:
        signature.bind(**own)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} must be given its arguments: {error}") from error
    return kind(**own)


def interface_of(task: TaskFamily) -> Interface:
    """What the agent of a run agrees on with its tasks."""
    return task.interface


def stream_seed(seed: bool | int) -> int:
    """The seed of the task stream: that of everything else."""
    if isinstance(seed, bool):
        raise ValueError(f"seed must be a whole number, got {seed}")
    check("seed", seed, *size(0, 2**32 - 1))  # all that NumPy takes
    return seed


MOST_LINES = 10
"""Of a message; what comes later says less."""

SAYS_NOTHING = re.compile(
    "Does not validate against any of|Subtypes:|Errors:|Given value type:|"
    "Given value: (Namespace|NestedArg)|Expected a <class 'NoneType'>|Expected a path but"
)
"""Lines with which jsonargparse says that a value was not of some other type either."""


def fit_main(arguments: Sequence[str] | None = None) -> None:
    """Train an agent: ``python scripts/fit.py --topology random``."""
    arguments = current(sys.argv[1:] if arguments is None else list(arguments))
    command, rest = "fit", arguments
    if arguments and arguments[0] in SUBCOMMANDS:
        command, *rest = arguments
    elif set(HELP) & set(arguments):
        print(overview())
        return
    quieten()
    with saying_what_is_wrong():
        if text := component_help(rest):
            print(text)
            return
        check_texts(rest)
        check_moved(rest)
        # LightningCLI reads sys.argv, and so do the processes that DDP starts; keep one truth.
        imports, others = modules_named(rest), import_modules(rest)
        flags = resolve_files(others, SHAPE, imports)
        sys.argv[1:] = [command, *expand(own_defaults(flags))]
        try:
            BadgerCLI(
                MetaLearner,
                save_config_callback=WholeConfig,
                seed_everything_default=0,
                auto_configure_optimizers=False,
                save_config_kwargs={"save_to_log_dir": False},
                parser_kwargs={
                    "exit_on_error": False,
                    **{
                        name: {
                            "default_config_files": [str(CONFIGS / "fit.yaml")],
                            "exit_on_error": False,
                        }
                        for name in SUBCOMMANDS
                    },
                },
            )
        except ArgumentError:
            check_moved([one.replace("--model.agent.", "--") for one in rest], MOVED_ARGUMENTS)
            raise


def evaluate_main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate a checkpoint: ``python scripts/evaluate.py CHECKPOINT --topology ring``."""
    arguments = current(sys.argv[1:] if arguments is None else list(arguments))
    torch.set_num_threads(1)
    with saying_what_is_wrong():
        if text := component_help(arguments):
            print(text)
            return
        check_texts(arguments)
        flags = expand(import_modules(arguments), long=False)
        result = auto_cli(evaluate, args=flags, as_positional=True, exit_on_error=False)
    print_evaluation(result)
    folders = [value for _, value, _ in values_of(flags, "--folder")]
    folder = folders[-1] if folders else run_folder(result["checkpoint"]) / "evaluation"
    print(f"numbers and figures: {folder}")


def program(function: Callable[..., Result], arguments: list[str] | None = None) -> Result:
    """Run a function as a program: its parameters are the flags, its result is returned."""
    with saying_what_is_wrong("-h shows the flags"):
        return auto_cli(function, args=arguments, exit_on_error=False)


@contextmanager
def saying_what_is_wrong(hint: str = HINT) -> Iterator[None]:
    """Say on one screen what is wrong with what the user asked for, and leave.

    Args:
        hint: where to find the flags, for who mistyped one.
    """
    try:
        yield
    except Exception as error:
        if (reason := fault_of_user(error)) is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        if isinstance(error, ArgumentError):
            print(hint, file=sys.stderr)
        raise SystemExit(DIVERGED if isinstance(error, NonFiniteLossError) else WRONG) from error


def fault_of_user(error: Exception) -> str | None:
    """What was wrong in what the user asked for; None for a bug, which keeps its traceback."""
    if isinstance(error, OSError):
        return in_words(error)
    return plain(str(error)) if isinstance(error, USER_ERRORS) else too_large(error)


def plain(message: str) -> str:
    """An error without what jsonargparse adds where a value may be of several types."""
    lines = []
    for line in message.splitlines():
        line = line.strip().removeprefix("- ")
        line = re.sub(
            r"^Call to compute_fn of link .* failed: |\. Got value: Namespace.*"
            "|^Type .*Callable.* expects a function or a callable class: ",
            "",
            line,
        )
        if line and not SAYS_NOTHING.match(line):
            lines.append(line)
    lines = [line if len(line) <= 500 else f"{line[:497]}..." for line in dict.fromkeys(lines)]
    return "\n  ".join(lines[:MOST_LINES])


def quieten() -> None:
    """Silence what says nothing to a user of this program."""
    for message in (
        ".*Found .* module.* in eval mode.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
