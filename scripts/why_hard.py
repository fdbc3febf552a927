"""Why is Badger hard to train? python scripts/why_hard.py mutual_information.

Each experiment trains what is not trained yet and writes a JSON file, its table and its figure:
with ``--full true`` to ``results/why_hard/<name>.json``, of which the page is made. Without, it
takes at most a quarter of an hour on two cores and writes to ``runs/why_hard/results``, as it does
with ``--arguments "--config fast"``, which trains all of it with what shortens plateaus most.
``python scripts/why_hard.py page`` draws the figures again from these JSON files, without training.
"""

from badger_graph.cli import program
from badger_graph.experiments.why_hard.command import why_hard

if __name__ == "__main__":
    program(why_hard)
