"""What Rosa et al. 2019 published on the guessing game, as far as their figures can be read.

Source: Rosa et al. 2019, "BADGER: Learning to (Learn [Learning Algorithms] through Multi-Agent
Communication)", figure 7: one seed, 300,000 outer steps, 3 MSE after the rollout. The numbers were
read off the figure, +-0.01.
"""

from __future__ import annotations

Curve = dict[str, list[float]]

_OUTPUTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20]

AGAINST_OUTPUTS: dict[str, Curve] = {
    "published, d=3": {
        "x": [*_OUTPUTS],
        "error": [0.144, 0.032, 0.005, 0.30, 0.50, 0.64, 0.72, 0.81, 0.83, 0.89, 0.97, 1.00, 1.04],
    },
    "published, then d=6": {
        "x": [*_OUTPUTS],
        "error": [0.35, 0.20, 0.13, 0.10, 0.10, 0.15, 0.26, 0.35, 0.42, 0.49, 0.61, 0.69, 0.80],
    },
    "published, then d=3-6, N=5-40": {
        "x": [*_OUTPUTS],
        "error": [0.08, 0.02, 0.03, 0.05, 0.08, 0.13, 0.24, 0.36, 0.44, 0.49, 0.61, 0.69, 0.82],
    },
}
"""3 MSE against the number of outputs d, N=20 experts, after each stage of their curriculum."""

AGAINST_EXPERTS: dict[str, Curve] = {
    "published": {
        "x": [1, 6, 11, 16, 26, 41, 76],
        "error": [1.18, 0.29, 0.18, 0.14, 0.13, 0.12, 0.14],
    }
}
"""3 MSE against the number of experts N, d=6 outputs."""
