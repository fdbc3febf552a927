"""What Lightning calls in the course of a training; one callback a file."""

from badger_graph.callbacks.annealing import Annealing
from badger_graph.callbacks.last_checkpoint import LastCheckpoint
from badger_graph.callbacks.measurements import Measurements
from badger_graph.callbacks.progress import OuterLoopBar
from badger_graph.callbacks.record import TrainingRecord
from badger_graph.callbacks.stage_checkpoints import StageCheckpoints
from badger_graph.callbacks.whole_files import WholeFiles
