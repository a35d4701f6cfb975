"""From options to a training: module, data, and what `Module.fit` is given with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.data import Data, open_data
from fitlog.run.networks import build_network
from fitlog.run.settings import RunOptions

_WITH_MOMENTUM: Final = ("sgd", "nag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A module, its data, and the arguments of its `fit` besides the training data."""

    module: Any
    data: Data
    arguments: dict[str, Any]


def build_training(mx: Any, options: RunOptions, *, part: int = 0, num_parts: int = 1) -> Training:
    """All that can fail for a reason that lies with the options or the data; nothing is written.

    Seeds MXNet's and numpy's generators, from which initial weights and shuffling are drawn.

    Raises:
        TrainingError: options or data that cannot work.
    """
    import numpy as np

    _check_optimizer(mx, options.optimizer)
    mx.random.seed(options.seed)
    np.random.seed(options.seed)
    data = open_data(mx, options, part=part, num_parts=num_parts)
    network = build_network(
        mx,
        options.network,
        image_shape=data.image_shape,
        num_classes=data.num_classes,
        dtype=options.dtype,
    )
    arguments = {
        "eval_data": data.validation,
        "eval_metric": list(options.metric),
        "optimizer": options.optimizer,
        "optimizer_params": _optimizer_params(options),
        "initializer": mx.init.Xavier(),
        "batch_end_callback": mx.callback.Speedometer(options.batch_size, options.disp_batches),
        "begin_epoch": options.begin_epoch,
        "num_epoch": options.num_epochs,
    }
    module = mx.mod.Module(network, context=mx.cpu())
    return Training(module=module, data=data, arguments=arguments)


def checkpoint_callback(mx: Any, options: RunOptions, folder: Path) -> Any:
    """The epoch_end_callback that saves checkpoints, into the run's folder if nowhere else."""
    prefix = options.model_prefix or folder / options.network
    return mx.callback.do_checkpoint(str(prefix), options.save_period)


def _optimizer_params(options: RunOptions) -> dict[str, Any]:
    params: dict[str, Any] = {"learning_rate": options.lr}
    if options.optimizer.lower() in _WITH_MOMENTUM:
        params["momentum"] = options.mom
    return params


def _check_optimizer(mx: Any, name: str) -> None:
    known = sorted(mx.optimizer.Optimizer.opt_registry)
    if name.lower() not in known:
        raise TrainingError(f"no optimizer named {name!r}; known: {', '.join(known)}")
