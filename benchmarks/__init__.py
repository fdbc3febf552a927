"""The benchmark: how fast an outer step is, beside what one would write or pick instead.

Every workload is one dataclass with its sizes and a ``run``: :mod:`~benchmarks.micro_badger` (W1),
:mod:`~benchmarks.attention_products` (W2), :mod:`~benchmarks.large_agent` (W3) and
:mod:`~benchmarks.fixed_costs`. ``scripts/benchmark.py`` runs them. Whoever is measured in W1, W2
and W3 is a :class:`~benchmarks.peers.Peer`: one way to compute the same rollout, with the same
weights, the same graph and the same tasks.
"""
