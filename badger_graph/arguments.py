"""What a user types: short flags, names, presets and checkpoints to what the parsers take."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from badger_graph.channels import CHANNELS
from badger_graph.communication import COMMUNICATIONS
from badger_graph.library.load import read_checkpoint
from badger_graph.library.upgrade import current
from badger_graph.membranes import MEMBRANES
from badger_graph.outer.config import defaults_of
from badger_graph.outer.curriculum import CURRICULA
from badger_graph.outer.gradients import GRADIENTS
from badger_graph.outer.losses import META_LOSSES
from badger_graph.policies import POLICIES
from badger_graph.runs import last_checkpoint, newest_first, own_settings
from badger_graph.safe_yaml import load_yaml, read_yaml
from badger_graph.settings import check_config, import_module
from badger_graph.tasks import TASKS
from badger_graph.trust import Shape
from topologies import TOPOLOGIES
from topologies.checks import check_choice, did_you_mean

Table = Mapping[str, Callable[..., Any]]

COMPONENTS: dict[str, tuple[str, Table]] = {
    "topology": ("model.agent.topology", TOPOLOGIES),
    "policy": ("model.agent.policy", POLICIES),
    "membrane": ("model.agent.membrane", MEMBRANES),
    "communication": ("model.agent.communication", COMMUNICATIONS),
    "channel": ("model.agent.communication.init_args.channel", CHANNELS),
    "task": ("model.task", TASKS),
    "meta_loss": ("model.meta_loss", META_LOSSES),
    "gradient": ("model.gradient", GRADIENTS),
    "curriculum": ("model.curriculum", CURRICULA),
}
"""Short flags that name a class: where it goes and what it may be."""

SHORT = {
    "num_experts": "model.sizes.num_experts",
    "num_outputs": "model.sizes.num_outputs",
    "num_steps": "model.sizes.num_steps",
    "rounds": "model.agent.communication.init_args.rounds",
    "birth": "model.agent.birth",
    "identifier_size": "model.agent.identifier_size",
    "hidden_size": "model.agent.hidden_size",
    "batch_size": "model.sizes.batch_size",
    "optimizer": "model.optimizer",
    "seed": "seed_everything",
    "max_steps": "trainer.max_steps",
    "devices": "trainer.devices",
}
"""Other short flags and what they stand for."""

MOVED = {
    **{f"model.{name}": f"--{name}" for name in ("num_experts", "num_outputs", "num_steps")},
    "model.batch_size": "--batch_size",
    "model.agent.rounds": "--rounds",
    **{f"model.agent.{name}": f"--birth.{name}" for name in ("identifiers", "initial_state")},
    "model.agent.worlds": "--birth.codebooks",
    "model.detach_every": "--gradient.detach_every",
    "model.checkpoint_every": "--gradient.checkpoint_every",
    "model.aggregator": "--gradient jacobian --gradient.aggregator",
    "model.cuda_graph": "--gradient captured",
    "model.regulariser": "--meta_loss sum --meta_loss.of '[MeanOverEnd, Alikeness]'",
}
"""Settings that have moved, and the flags to give in their place."""

MOVED_ARGUMENTS = {
    **{f"policy.{name}": f"--{name}" for name in ("hidden_size", "identifier_size")},
    **{f"membrane.{name}": f"--{name}" for name in ("hidden_size", "identifier_size")},
    "topology.hidden_size": "--hidden_size",
    "policy.percept_size": "nothing, as the membrane says it",
    "policy.cell_size": "--hidden_size, twice as large",
    "policy.num_outputs": "--membrane.num_outputs",
    "policy.key_size": "--membrane.key_size",
    "membrane.addresses": "--birth.addresses",
    "membrane.seed": "--birth.address_seed",
}
"""Likewise of parts that come with the package; a part of somebody's own may have such names."""

IMPORTS = "BADGER_GRAPH_IMPORT"
"""Tells the other processes of a distributed run which modules the user named by --import."""

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
    expansion: list[str] = []
    component = None
    for argument in arguments:
        flag = re.fullmatch(r"--(\w+)((?:\.\w+)*)(=.*)?", argument, re.DOTALL)
        name = flag[1] if flag else ""
        if component is not None:
            expansion.append(_class_path(component, argument))
            component = None
        elif flag and name in COMPONENTS:
            full = COMPONENTS[name][0] if long else name
            value = flag[3]
            if value is not None and not flag[2]:
                value = "=" + _class_path(name, value[1:])
            elif not flag[2]:
                component = name
            expansion.append(f"--{full}{flag[2]}{value or ''}")
        elif flag and long and name in SHORT:
            expansion.append(f"--{SHORT[name]}{flag[2]}{flag[3] or ''}")
        else:
            expansion.append(argument)
    return expansion


def check_moved(arguments: Sequence[str], replacements: Mapping[str, str] = MOVED) -> None:
    """Refuse flags by the names that they had.

    Raises:
        ValueError: says which, and its new form.
    """
    for argument in arguments:
        flag = argument.partition("=")[0].removeprefix("--")
        for name, now in replacements.items():
            if argument.startswith("--") and (flag == name or flag.startswith(f"{name}.")):
                raise ValueError(
                    f"--{name} must be given in its form of today, {now}, got {argument}"
                )


def _check_moved_settings(file: str) -> None:
    """Refuse settings by the names that they had.

    Raises:
        ValueError: says which, and their new forms.
    """
    model = (read_yaml(file) or {}).get("model")
    names = [name for name in MOVED if isinstance(model, dict) and name.partition(".")[2] in model]
    if names:
        now = ", ".join(f"{name} by {MOVED[name]}" for name in names)
        raise ValueError(
            "settings must have their names of today (what --print_config shows), "
            f"got old ones in {file!r}: {now}"
        )


def own_defaults(arguments: Sequence[str]) -> list[str]:
    """Let a class that replaces another start from its own defaults: ``--policy attention``.

    The parser would carry over what the other was given or has by default under the same name,
    such as ``hidden_size`` or the ``betas`` of Adam. Only the learning rate stays. To be called
    once presets are files.
    """
    flags = {argument.partition("=")[0] for argument in arguments}
    configs: dict[str, Any] | None = None  # most commands name no class
    after: dict[int, list[str]] = {}
    places = {component: full for component, (full, _) in COMPONENTS.items()}
    for component, full in {**places, "optimizer": SHORT["optimizer"]}.items():
        for flag, choice, place in values_of(arguments, f"--{component}"):
            configs = configurations(arguments) if configs is None else configs
            before = _settings_of(full, configs.values())
            class_path = _class_path(component, choice) if component in COMPONENTS else choice
            if class_path == before["class_path"]:
                continue
            after[place] = [
                f"{flag}.{name}={default if isinstance(default, str) else json.dumps(default)}"
                for name, default in _defaults(class_path).items()
                if before["init_args"].get(name, default) != default
                and name != "lr"
                and f"{flag}.{name}" not in flags
            ]
            if component == "policy":
                after[place] += _usual_sizes(class_path, flags)
    return [
        part
        for place, argument in enumerate(arguments)
        for part in (argument, *after.get(place, []))
    ]


def _usual_sizes(class_path: str, flags: set[str]) -> list[str]:
    """What an agent of a policy is given besides, where nobody says otherwise."""
    module, _, name = class_path.rpartition(".")
    policy = getattr(sys.modules.get(module), name, None)
    sizes: dict[str, int] = getattr(policy, "usual_sizes", {})
    return [
        f"--{SHORT[size]}={value}"
        for size, value in sizes.items()
        if not {f"--{size}", f"--{SHORT[size]}"} & flags
    ]


def configurations(arguments: Sequence[str]) -> dict[str, Any]:
    """What fit.yaml and the presets, files or text by now, say: by path or text, in this order."""
    presets = [preset for _, preset, _ in values_of(arguments, "--config", "-c")]
    return {
        preset: load_yaml(preset) if "\n" in preset else read_yaml(preset)
        for preset in (str(CONFIGS / "fit.yaml"), *presets)
    }


def _settings_of(full: str, configs: Iterable[Any]) -> dict[str, Any]:
    """The class of a component and all its arguments, as the configurations leave it."""
    component: dict[str, Any] = {"class_path": None, "init_args": {}}
    for part in configs:
        for key in full.split("."):
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, dict):
            component["class_path"] = part.get("class_path", component["class_path"])
            arguments = component["init_args"] | (part.get("init_args") or {})
            component["init_args"] = _defaults(str(component["class_path"])) | arguments
    return component


def _defaults(class_path: str) -> dict[str, Any]:
    """Of the arguments of a class; nothing where there is none, which the parser then says."""
    module, _, name = class_path.rpartition(".")
    try:
        return defaults_of(getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, TypeError, ValueError):
        return {}


def _class_path(component: str, name: str) -> str:
    table = COMPONENTS[component][1]
    if name in table:
        return f"{table[name].__module__}.{table[name].__qualname__}"
    if re.fullmatch(r"\w+(\.\w+)+|\{.*\}", name, re.DOTALL):
        return name
    check_choice(f"--{component}", name, table, ", or the import path of a class")
    raise AssertionError("a name in the table was taken above")


def import_modules(arguments: Sequence[str]) -> list[str]:
    """Import what ``--import MODULE`` names, so that a checkpoint may name your own classes.

    Modules are found in the current folder too. Returns the other arguments.

    Raises:
        ValueError: when there is no such module.
    """
    reach_own_code(arguments)
    others = list(arguments)
    for flag, name, place in reversed(list(values_of(arguments, "--import"))):
        import_module(flag, name)
        first = place if arguments[place].startswith("--import=") else place - 1
        del others[first : place + 1]
    return others


def modules_named(arguments: Sequence[str]) -> list[str]:
    """What ``--import`` names, here or for the first process of a distributed run."""
    names = [name for _, name, _ in values_of(arguments, "--import")]
    if "LOCAL_RANK" in os.environ:
        names += os.environ.get(IMPORTS, "").split()
    os.environ[IMPORTS] = " ".join(dict.fromkeys(names))
    return os.environ[IMPORTS].split()


def reach_own_code(arguments: Sequence[str]) -> None:
    """Let modules be found in the current folder, after all others, where the user names one.

    Otherwise nothing is imported from there: a folder may hold what is not the user's own.
    """
    here = os.getcwd()
    texts = [one.partition("=")[2] if one.startswith("-") else one for one in arguments]
    for _, config, _ in values_of(arguments, "--config", "-c"):
        if "\n" in config:
            texts.append(config)
        elif Path(config).is_file():
            texts.append(Path(config).read_text(errors="replace"))
    imports = {name.partition(".")[0] for name in modules_named(arguments)}
    names = imports | set(re.findall(r"(?<![\w./])([^\W\d]\w*)\.\w", "\n".join(texts)))
    own_code = any(
        Path(here, name).is_dir() or Path(here, f"{name}.py").is_file() for name in names
    )
    if own_code and here not in sys.path:
        sys.path.append(here)


def resolve_files(
    arguments: Sequence[str], shape: Shape = None, imports: Sequence[str] = ()
) -> list[str]:
    """Presets and checkpoints to files.

    ``--config figure6`` becomes the preset's file, ``--ckpt_path last`` the newest checkpoint. A
    run that is resumed starts from its own settings; what the user typed comes on top.

    Args:
        arguments: what the user typed.
        shape: of the settings, see :func:`badger_graph.trust.require_trusted`.
        imports: modules whose classes the settings of a run may name, too.

    Raises:
        ValueError: when there is no such preset, run or checkpoint, the checkpoint is bad, or the
            settings of its run name code that nobody vouches for.
    """
    resolution = list(arguments)
    checkpoint = None
    for flag, value, place in values_of(arguments, "--config", "-c", "--ckpt_path"):
        if flag == "--ckpt_path":
            value = checkpoint = _find_checkpoint(value, arguments)
        else:
            value = _find_config(value)
        resolution[place] = f"{flag}={value}" if arguments[place].startswith("-") else value
    settings = own_settings(checkpoint, shape, imports) if checkpoint else None
    return resolution if settings is None else [f"--config={settings}", *resolution]


def values_of(arguments: Sequence[str], *flags: str) -> Iterator[tuple[str, str, int]]:
    """Every flag among these with its value and where in the arguments the value stands."""
    for place, argument in enumerate(arguments):
        flag, separator, value = argument.partition("=")
        if flag in flags and separator:
            yield flag, value, place
        elif flag in flags and place + 1 < len(arguments):
            yield flag, arguments[place + 1], place + 1


def _find_config(name: str) -> str:
    if "\n" in name:  # what a file says, where it named classes that have moved
        return name
    if Path(name).is_file():
        check_config(name, str(CONFIGS / "fit.yaml"))
        _check_moved_settings(name)
        text = Path(name).read_text()
        return name if (present := current(text)) == text else f"{present}\n"
    presets = {path.stem: str(path) for path in sorted(CONFIGS.glob("*.yaml"))}
    if name not in presets:
        raise ValueError(
            f"--config must be a file or one of {', '.join(presets)}, got {name!r}"
            + did_you_mean(name, presets)
        )
    return presets[name]


def _find_checkpoint(name: str, arguments: Sequence[str]) -> str:
    """A checkpoint by its path, or where ``--run_dir``, or else the newest run, goes on."""
    if name != "last":
        read_checkpoint(name)
        return name
    folders = [value for _, value, _ in values_of(arguments, "--run_dir")]
    runs = [Path(folders[-1])] if folders else newest_first(Path("runs").glob("*"))
    checkpoint = next((path for run in runs if (path := last_checkpoint(run)) is not None), None)
    if checkpoint is not None:
        return str(checkpoint)
    if folders and (runs[0] / "checkpoints").exists():
        raise ValueError(
            f"--ckpt_path last needs a whole checkpoint, got none in {folders[-1]}; without "
            "--ckpt_path its run starts afresh"
        )
    raise ValueError(
        f"--ckpt_path last needs a run to resume, got none in {folders[-1] if folders else 'runs'}"
    )


def overview() -> str:
    """The short help: the flags that one needs, and where to find the others."""
    presets = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
    names = "\n".join(
        f"  --{component:<10} {', '.join(table)}" for component, (_, table) in COMPONENTS.items()
    )
    short = "\n".join(f"  --{name:<12} --{full}" for name, full in SHORT.items())
    return f"""usage: fit.py [fit | validate] [options]

Train an agent:        fit.py --topology random --topology.k 4 --seed 1
Go on with a run:      fit.py --ckpt_path last
Evaluate an agent:     evaluate.py runs/0/checkpoints/best.ckpt --topology ring

What an agent is made of, by name; --topology.help says what there is, --topology.help random
what its arguments are:
{names}

Short for:
{short}

  --config PRESET      {presets}; or a file, several on top of each other
  --print_config       show all settings and stop
  --run_dir FOLDER     where to write, instead of the next free runs/<number>
  --evaluate false     no table and figures after the fit
  --import MODULE      import a module of yours first, so that a checkpoint may name its classes
  --threads 1          CPU threads of each process

fit --help lists every option, fit.yaml explains the defaults: {CONFIGS / "fit.yaml"}"""


def component_help(arguments: Sequence[str]) -> str | None:
    """What ``--topology.help [NAME]`` asks for, or None when nothing of the kind is asked.

    Raises:
        ValueError: for a name that is not in the table.
    """
    for component, (_, table) in COMPONENTS.items():
        flag = f"--{component}.help"
        if not any(argument.partition("=")[0] == flag for argument in arguments):
            continue
        choices = [value for _, value, _ in values_of(arguments, flag) if not value.startswith("-")]
        if not choices:
            names = "\n".join(f"  {name:<15} {_summary(table[name])}" for name in table)
            return f"--{component} takes one of\n\n{names}"
        _class_path(component, choices[0])
        if choices[0] in table:
            return f"--{component} {choices[0]}\n\n{_description(component, table[choices[0]])}"
    return None


def _summary(make: Callable[..., Any]) -> str:
    return str(inspect.getdoc(make)).partition("\n")[0]


def _description(component: str, make: Callable[..., Any]) -> str:
    flags = [
        f"  --{component}.{parameter.name} ({parameter.annotation}, "
        + (
            "required)"
            if parameter.default is parameter.empty
            else f"by default {parameter.default})"
        )
        for parameter in inspect.signature(make).parameters.values()
    ]
    return "\n".join([str(inspect.getdoc(make)), "", *flags]).rstrip()
