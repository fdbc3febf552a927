"""Classifiers that see one example after the other: each is answered before its class is told.

All take the same inputs ``[T, B, n]`` as an agent, scaled by what was seen so far, labels
``[T, B]`` and the number of classes, and say which answers were right, ``[T, B]``. None is told
anything else; but the rate of stochastic gradients is the best of several in hindsight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Accuracy = Callable[[Float[Tensor, "T B n"], Int[Tensor, "T B"], int], Bool[Tensor, "T B"]]
"""From examples, labels and the number of classes to which answers were right."""

RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Of stochastic gradients, in units of one over the square root of n."""

EVERY = 5
"""Upper references are fitted anew after so many examples; after each of the first ten."""


def softmax_regression(
    inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
) -> Bool[Tensor, "T B"]:
    """Softmax regression by stochastic gradients, at the rate that was best in hindsight."""
    inputs = _with_constant(inputs)
    runs = [_softmax_regression(inputs, label, num_classes, rate) for rate in RATES]
    return max(runs, key=lambda run: float(run.float().mean()))


def _softmax_regression(
    inputs: Tensor, label: Tensor, num_classes: int, rate: float
) -> Bool[Tensor, "T B"]:
    _, batch_size, num_inputs = inputs.shape
    weight = inputs.new_zeros(batch_size, num_inputs, num_classes)
    right = []
    for x, y in zip(inputs, label, strict=True):
        score = torch.einsum("bn,bnc->bc", x, weight)
        right.append(score.argmax(dim=1) == y)
        error = F.one_hot(y, num_classes) - score.softmax(dim=1)
        weight = weight + rate / num_inputs**0.5 * x[..., None] * error[:, None]
    return torch.stack(right)


def recursive_ridge(
    inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
) -> Bool[Tensor, "T B"]:
    """Least squares of one-hot classes with a ridge of one, after every example."""
    inputs = _with_constant(inputs)
    _, batch_size, num_inputs = inputs.shape
    inverse = torch.eye(num_inputs).repeat(batch_size, 1, 1)
    weight = inputs.new_zeros(batch_size, num_inputs, num_classes)
    right = []
    for x, y in zip(inputs, label, strict=True):
        score = torch.einsum("bn,bnc->bc", x, weight)
        right.append(score.argmax(dim=1) == y)
        along = torch.einsum("bnm,bm->bn", inverse, x)
        gain = along / (1 + (along * x).sum(dim=1, keepdim=True))
        inverse = inverse - gain[..., None] * along[:, None]
        weight = weight + gain[..., None] * (F.one_hot(y, num_classes) - score)[:, None]
    return torch.stack(right)


def nearest_neighbour(
    inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
) -> Bool[Tensor, "T B"]:
    """The class of the nearest example so far; missing numbers are 0, and the first answer is 0."""
    inputs = inputs.nan_to_num()
    right = [label[0] == 0]
    for step in range(1, len(inputs)):
        nearest = (inputs[:step] - inputs[step]).square().sum(dim=-1).argmin(dim=0, keepdim=True)
        right.append(label[:step].gather(0, nearest)[0] == label[step])
    return torch.stack(right)


def nearest_mean(
    inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
) -> Bool[Tensor, "T B"]:
    """The class whose mean is nearest, of those seen."""

    def score(x: Tensor, count: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return -(x[:, None] - mean).square().sum(dim=-1)

    return _by_moments(inputs, label, num_classes, score)


def naive_bayes(
    inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
) -> Bool[Tensor, "T B"]:
    """Gaussian naive Bayes; a variance of one counts as one example of every class."""

    def score(x: Tensor, count: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        variance = (count[..., None] * variance + 1) / (count[..., None] + 1)
        log = -0.5 * ((x[:, None] - mean).square() / variance + variance.log()).sum(dim=-1)
        return log + count.log()

    return _by_moments(inputs, label, num_classes, score)


def _by_moments(
    inputs: Tensor, label: Tensor, num_classes: int, score: Callable[..., Tensor]
) -> Bool[Tensor, "T B"]:
    """What a score of mean and variance of each class so far makes of it."""
    inputs = inputs.nan_to_num()
    _, batch_size, num_inputs = inputs.shape
    count = inputs.new_zeros(batch_size, num_classes)
    total = inputs.new_zeros(batch_size, num_classes, num_inputs)
    square = torch.zeros_like(total)
    right = []
    for x, y in zip(inputs, label, strict=True):
        some = count.clamp_min(1)[..., None]
        mean = total / some
        variance = (square / some - mean.square()).clamp_min(0)
        value = score(x, count, mean, variance).masked_fill(count == 0, -torch.inf)
        right.append(value.argmax(dim=1) == y)
        one_hot = F.one_hot(y, num_classes).to(inputs)
        count = count + one_hot
        total = total + one_hot[..., None] * x[:, None]
        square = square + one_hot[..., None] * x[:, None].square()
    return torch.stack(right)


def of_river(make: Callable[[], Any]) -> Accuracy:
    """A classifier of river, one life after the other; missing numbers are 0.

    Args:
        make: a new one for each life.
    """

    def accuracy(
        inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
    ) -> Bool[Tensor, "T B"]:
        right = torch.zeros(label.shape, dtype=torch.bool)
        for life in range(inputs.size(1)):
            model = make()
            for step, x in enumerate(inputs[:, life].nan_to_num().tolist()):
                row, y = dict(enumerate(x)), int(label[step, life])
                right[step, life] = model.predict_one(row) == y
                model.learn_one(row, y)
        return right

    return accuracy


def refitted(make: Callable[[], Any]) -> Accuracy:
    """A classifier of scikit-learn, fitted anew on all examples so far: an upper reference.

    The first example, of which nothing is known, counts as wrong.

    Args:
        make: a new one for each fit.
    """

    def accuracy(
        inputs: Float[Tensor, "T B n"], label: Int[Tensor, "T B"], num_classes: int
    ) -> Bool[Tensor, "T B"]:
        right = np.zeros(tuple(label.shape), dtype=bool)
        for life in range(inputs.size(1)):
            x, y = inputs[:, life].nan_to_num().numpy(), label[:, life].numpy()
            begin = 1
            while begin < len(x):
                end = min(len(x), begin + (1 if begin < 10 else EVERY))
                seen = y[:begin]
                if (seen == seen[0]).all():
                    answer = np.full(end - begin, seen[0])
                else:
                    answer = make().fit(x[:begin], seen).predict(x[begin:end])
                right[begin:end, life] = answer == y[begin:end]
                begin = end
        return torch.from_numpy(right)

    return accuracy


def _river_logistic() -> Any:
    from river import linear_model, multiclass

    return multiclass.OneVsRestClassifier(linear_model.LogisticRegression())


def _river_knn() -> Any:
    from river import neighbors

    return neighbors.KNNClassifier()


def _river_forest() -> Any:
    from river import forest

    return forest.ARFClassifier(seed=0)


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(50, random_state=0)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=300)


CLASSIFIERS: dict[str, Accuracy] = {
    "softmax regression, best rate": softmax_regression,
    "recursive ridge": recursive_ridge,
    "nearest neighbour": nearest_neighbour,
    "nearest mean": nearest_mean,
    "naive Bayes": naive_bayes,
    "river: logistic regression": of_river(_river_logistic),
    "river: k-NN": of_river(_river_knn),
    "river: adaptive random forest": of_river(_river_forest),
    "refitted logistic regression": refitted(_logistic),
    "refitted random forest": refitted(_forest),
}
"""By the name in tables; the first five go through many lives at once, the others one by one."""

FAST = list(CLASSIFIERS)[:5]

ONLINE = list(CLASSIFIERS)[:8]
"""Those that need not keep the examples, or not fit them again."""


def _with_constant(inputs: Tensor) -> Tensor:
    return F.pad(inputs.nan_to_num(), (0, 1), value=1.0)
