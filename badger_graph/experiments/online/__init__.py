"""What frozen policies learn online: tables, numbers, bandits; one experiment a file."""

from badger_graph.experiments.online.few_shot import FewShot
from badger_graph.experiments.online.learn_numbers import LearnNumbers
from badger_graph.experiments.online.learn_tables import LearnTables
from badger_graph.experiments.online.play_bandits import PlayBandits
from badger_graph.experiments.runner import Experiment

EXPERIMENTS: dict[str, type[Experiment]] = {
    experiment.name: experiment for experiment in (LearnTables, FewShot, LearnNumbers, PlayBandits)
}
