"""Learn classes from a few examples: python scripts/few_shot.py."""

from badger_graph.experiments.online.few_shot import FewShot
from badger_graph.experiments.runner import command

main = command(FewShot)

if __name__ == "__main__":
    main()
