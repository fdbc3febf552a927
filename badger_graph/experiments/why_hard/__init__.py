"""Every experiment of "Why is Badger hard to train?" (Šimánek, GoodAI blog), one a file."""

from badger_graph.experiments.why_hard.binding import Binding
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings
from badger_graph.experiments.why_hard.frequencies import Frequencies
from badger_graph.experiments.why_hard.losses import Losses
from badger_graph.experiments.why_hard.mutual_information import MutualInformation
from badger_graph.experiments.why_hard.plateaus import Plateaus
from badger_graph.experiments.why_hard.redundancy import Redundancy
from badger_graph.experiments.why_hard.shortest import Shortest
from badger_graph.experiments.why_hard.symmetry import Symmetry
from badger_graph.experiments.why_hard.topology import TopologyExperiment

EXPERIMENTS: dict[str, type[TrainingExperiment]] = {
    "plateaus": Plateaus,
    "frequencies": Frequencies,
    "mutual_information": MutualInformation,
    "binding": Binding,
    "redundancy": Redundancy,
    "symmetry": Symmetry,
    "losses": Losses,
    "topology": TopologyExperiment,
    "shortest": Shortest,
}

__all__ = ["EXPERIMENTS", "Claim", "Findings", "Scale", "TrainingExperiment"]
