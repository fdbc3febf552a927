"""The command line: names to classes, and nothing else."""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.trainer import Trainer

from badger_graph.evaluation import evaluate, print_evaluation
from badger_graph.membranes import MEMBRANES
from badger_graph.outer.checkpoint import read_checkpoint, require_same_agent
from badger_graph.outer.learner import MetaLearner, NonFiniteLossError
from badger_graph.outer.losses import META_LOSSES
from badger_graph.policies import POLICIES
from badger_graph.tasks import TASKS
from topologies import TOPOLOGIES

COMPONENTS = {
    "policy": ("model.agent.policy", POLICIES),
    "topology": ("model.agent.topology", TOPOLOGIES),
    "membrane": ("model.agent.membrane", MEMBRANES),
    "task": ("model.task", TASKS),
    "meta_loss": ("model.meta_loss", META_LOSSES),
}
"""Short flags that name a class: where it goes and what it may be."""

SHORT = {
    **{
        name: f"model.{name}"
        for name in ("num_experts", "num_outputs", "num_steps", "batch_size", "optimizer")
    },
    "rounds": "model.agent.rounds",
    "seed": "seed_everything",
    "max_steps": "trainer.max_steps",
    "devices": "trainer.devices",
}
"""Other short flags and what they stand for."""

SUBCOMMANDS = ("fit", "validate", "test", "predict")

RUN_DIR = "BADGER_GRAPH_RUN_DIR"
"""Tells the other processes of a distributed run which folder the first one chose."""

PACKAGE = Path(__file__).parent
CONFIGS = next(path for path in (PACKAGE / "configs", PACKAGE.parent / "configs") if path.exists())


def expand(arguments: Sequence[str], long: bool = True) -> list[str]:
    """Short flags to full ones: ``--topology random`` to ``--model.agent.topology <class>``.

    Args:
        arguments: what the user typed.
        long: whether flags get their full path, or keep their names (only classes are named).

    Raises:
        ValueError: for a name that no component has; lists those that exist.
    """
    expanded: list[str] = []
    waiting = None
    for argument in arguments:
        flag = re.fullmatch(r"--(\w+)((?:\.\w+)*)(=.*)?", argument, re.DOTALL)
        name = flag[1] if flag else ""
        if waiting is not None:
            expanded.append(_class_path(waiting, argument))
            waiting = None
        elif flag and name in COMPONENTS:
            full = COMPONENTS[name][0] if long else name
            value = flag[3]
            if value is not None and not flag[2]:
                value = "=" + _class_path(name, value[1:])
            elif not flag[2]:
                waiting = name
            expanded.append(f"--{full}{flag[2]}{value or ''}")
        elif flag and long and name in SHORT:
            expanded.append(f"--{SHORT[name]}{flag[2]}{flag[3] or ''}")
        else:
            expanded.append(argument)
    return expanded


def _class_path(component: str, name: str) -> str:
    table: dict[str, Any] = COMPONENTS[component][1]
    if name in table:
        return f"{table[name].__module__}.{table[name].__qualname__}"
    if "." in name or name.startswith("{"):
        return name
    close = difflib.get_close_matches(name, table, n=1)
    raise ValueError(
        f"--{component} must be one of {', '.join(table)}, or the import path of a class, "
        f"got {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    )


class BadgerCLI(LightningCLI):
    """``fit`` and its sisters, with a folder for each run and an evaluation after the fit."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--run_dir", type=str | None, default=None, help="folder of the run; a new one in runs/"
        )
        parser.add_argument(
            "--threads",
            type=int,
            default=1,
            help="CPU threads of each process; more than one makes small agents slower",
        )
        parser.add_argument(
            "--evaluate", type=bool, default=True, help="evaluate and draw after the fit"
        )
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.link_arguments("seed_everything", "model.seed", compute_fn=int)
        parser.link_arguments("seed_everything", "model.agent.seed", compute_fn=int)

    def before_instantiate_classes(self) -> None:
        config = self.config[self.config.subcommand]
        if config.threads < 1:
            self.parser.error(f"threads must be at least 1, got {config.threads}")
        torch.set_num_threads(config.threads)
        self.run_dir = Path(choose_run_dir(config.run_dir, config.get("ckpt_path")))
        config.checkpoint.dirpath = str(self.run_dir / "checkpoints")
        config.trainer.default_root_dir = str(self.run_dir)

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
            checkpoint = self._get(self.config, "ckpt_path")
            if checkpoint is not None:
                require_same_agent(checkpoint, self.model)
        except ValueError as error:
            self.parser.error(str(error))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        if self._get(self.config, "trainer").logger in (None, True):
            # A resumed run goes on in the next version_*: a CSVLogger empties an old one.
            kwargs["logger"] = [
                TensorBoardLogger(self.run_dir, name="", version=""),
                CSVLogger(self.run_dir, name="logs", flush_logs_every_n_steps=10),
            ]
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        if self.trainer.is_global_zero:
            print(f"run folder: {self.run_dir}")

    def after_fit(self) -> None:
        best = Path(self._get(self.config, "checkpoint").dirpath) / "best.ckpt"
        wanted = self._get(self.config, "evaluate") and best.exists()
        if wanted and self.trainer.is_global_zero and not self.trainer.fast_dev_run:
            print_evaluation(evaluate(str(best), folder=str(self.run_dir)))
            print(f"checkpoints, figures and numbers: {self.run_dir}")


def choose_run_dir(run_dir: str | None, checkpoint: str | None) -> str:
    """The folder of this run: as told, that of the checkpoint, or the next free one in runs/."""
    if run_dir is None and checkpoint is not None:
        run_dir = str(Path(checkpoint).resolve().parent.parent)
    if run_dir is None and "LOCAL_RANK" in os.environ:
        if RUN_DIR not in os.environ:
            raise ValueError("a run started by a launcher needs --run_dir, got none")
        run_dir = os.environ[RUN_DIR]
    if run_dir is None:
        taken = [int(path.name) for path in Path("runs").glob("*") if path.name.isdigit()]
        run_dir = str(Path("runs") / str(max(taken, default=-1) + 1))
    os.environ[RUN_DIR] = run_dir
    return run_dir


def last_checkpoint(arguments: Sequence[str]) -> str:
    """The newest ``last.ckpt``, in the folder that ``--run_dir`` names or in all of runs/."""
    told = [b for a, b in zip(arguments, arguments[1:], strict=False) if a == "--run_dir"]
    told += [a.partition("=")[2] for a in arguments if a.startswith("--run_dir=")]
    runs = [Path(told[-1])] if told else list(Path("runs").glob("*"))
    found = [path for run in runs for path in run.glob("checkpoints/last.ckpt")]
    if not found:
        raise ValueError(
            f"--ckpt_path last needs a run to resume, got none in {told[-1] if told else 'runs'}"
        )
    return str(max(found, key=lambda path: path.stat().st_mtime))


def resolve_files(arguments: Sequence[str]) -> list[str]:
    """``--config figure6`` to the preset's file, ``--ckpt_path last`` to the newest checkpoint.

    Raises:
        ValueError: when there is no such preset, run or checkpoint, or the checkpoint is bad.
    """
    resolved = list(arguments)
    for index, argument in enumerate(arguments):
        flag, separator, value = argument.partition("=")
        if flag not in ("--config", "-c", "--ckpt_path"):
            continue
        if not separator:
            if index + 1 == len(arguments):
                continue
            value = arguments[index + 1]
        if flag == "--ckpt_path":
            value = last_checkpoint(arguments) if value == "last" else value
            read_checkpoint(value)
        elif not Path(value).exists():
            preset = CONFIGS / f"{Path(value).stem}.yaml"
            if not preset.exists():
                presets = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
                raise ValueError(f"--config must be a file or one of {presets}, got {value!r}")
            value = str(preset)
        if separator:
            resolved[index] = f"{flag}={value}"
        else:
            resolved[index + 1] = value
    return resolved


def fit_main(arguments: Sequence[str] | None = None) -> None:
    """Train an agent: ``python scripts/fit.py --topology random``."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    quieten()
    try:
        arguments = expand(resolve_files(arguments))
        if not arguments or arguments[0] not in (*SUBCOMMANDS, "-h", "--help"):
            arguments = ["fit", *arguments]
        # LightningCLI re-reads sys.argv in the processes that DDP starts; keep one truth.
        sys.argv[1:] = arguments
        BadgerCLI(
            MetaLearner,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={
                command: {
                    "default_config_files": [str(CONFIGS / "fit.yaml")],
                    # The generated usage is two screens long and would hide the error under it.
                    "usage": f"%(prog)s [options], see 'fit.py {command} --help'",
                }
                for command in SUBCOMMANDS
            },
        )
    except (ValueError, NonFiniteLossError) as error:
        fail(error)


def evaluate_main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate a checkpoint: ``python scripts/evaluate.py CHECKPOINT --topology ring``."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    torch.set_num_threads(1)
    try:
        result = auto_cli(evaluate, args=expand(arguments, long=False), as_positional=True)
    except ValueError as error:
        fail(error)
    print_evaluation(result)


def fail(error: Exception) -> None:
    """Say what is wrong on one screen and leave."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(2)


def quieten() -> None:
    """Silence what says nothing to a user of this program."""
    for message in (
        ".*does not have many workers.*",
        ".*Found .* module.* in eval mode.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
