"""Environments of gymnasium as tasks: sensors are inputs, discrete actions are outputs."""

import gymnasium
import torch
from torch import Generator, Tensor

from badger_graph import Choice, Interface, Observation, Task, TaskFamily


class GymnasiumTasks(TaskFamily):
    """Episodes of an environment, one beside the other for the agents of a batch.

    The error of a step is the reward with the other sign. An environment is no function of
    tensors: no gradient flows through it, and a step cannot be taken twice; evolution strategies
    train on it. On the CPU only.

    Args:
        name: of an environment with a box of sensors and discrete actions.
    """

    interface = Interface(feedback=1, input=1, action=Choice())

    def __init__(self, name: str = "CartPole-v1") -> None:
        self.name = name

    @property
    def chance(self) -> float:
        return 0.0  # no reward

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        environments = gymnasium.make_vec(self.name, num_envs=batch_size)
        sensors, actions = environments.single_observation_space, environments.single_action_space
        if not isinstance(actions, gymnasium.spaces.Discrete) or actions.n != num_outputs:
            raise ValueError(
                f"{self.name} must have one output for each of its actions, {actions}, got "
                f"num_outputs={num_outputs}"
            )
        seed = int(torch.randint(2**31, (), generator=generator))
        return GymnasiumTask(environments, seed, gymnasium.spaces.flatdim(sensors), num_outputs)


class GymnasiumTask(Task):
    """What it remembers is in the environments themselves."""

    stochastic, replayable = True, False

    def __init__(
        self, environments: gymnasium.vector.VectorEnv, seed: int, num_inputs: int, num_outputs: int
    ) -> None:
        self.environments = environments
        self.seed = seed
        self.batch_size = environments.num_envs
        self.num_inputs = num_inputs
        self.num_outputs = num_outputs

    def reset(self, generator: Generator | None = None) -> tuple[None, Observation]:
        sensors, _ = self.environments.reset(seed=self.seed)
        return None, self._shown(sensors, torch.zeros(self.batch_size))

    def step(
        self, state: None, action: Tensor, generator: Generator | None = None
    ) -> tuple[None, Observation, Tensor]:
        chosen = action.detach().argmax(dim=1).numpy()
        sensors, rewards, *_ = self.environments.step(chosen)
        reward = torch.as_tensor(rewards, dtype=torch.float32)
        return None, self._shown(sensors, reward), -reward

    def _shown(self, sensors: object, reward: Tensor) -> Observation:
        inputs = torch.as_tensor(sensors, dtype=torch.float32)[..., None]
        return Observation(
            reward[:, None], inputs, torch.zeros(*inputs.shape[:1], self.num_outputs, 0)
        )
