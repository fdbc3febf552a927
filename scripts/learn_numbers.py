"""Learn functions online, beside exact Bayesian learners: python scripts/learn_numbers.py."""

from badger_graph.experiments.online.learn_numbers import LearnNumbers
from badger_graph.experiments.runner import command

main = command(LearnNumbers)

if __name__ == "__main__":
    main()
