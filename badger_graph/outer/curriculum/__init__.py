"""Curricula: one a file."""

from badger_graph.outer.curriculum.base import Curriculum, Lesson
from badger_graph.outer.curriculum.more_codebooks import MoreCodebooks
from badger_graph.outer.curriculum.one_more_output import OneMoreOutput
from badger_graph.outer.curriculum.stages import Stage, Stages

CURRICULA: dict[str, type[Curriculum]] = {
    "stages": Stages,
    "one_more_output": OneMoreOutput,
    "more_codebooks": MoreCodebooks,
}
