"""Play bandits, beside the best possible: python scripts/play_bandits.py."""

from badger_graph.experiments.online.play_bandits import PlayBandits
from badger_graph.experiments.runner import command

main = command(PlayBandits)

if __name__ == "__main__":
    main()
