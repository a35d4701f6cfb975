"""From options to a training: module, data, and what `Module.fit` is given with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.checkpoints import Checkpoint
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


def build_training(
    mx: Any,
    options: RunOptions,
    *,
    checkpoint: Checkpoint | None = None,
    part: int = 0,
    num_parts: int = 1,
) -> Training:
    """All that can fail for a reason that lies with the options or the data; nothing is written.

    A training with a checkpoint goes on where that was made. Seeds MXNet's and numpy's generators,
    from which initial weights and shuffling are drawn.

    Raises:
        TrainingError: options or data that cannot work.
    """
    from fitlog.run.seeding import seed_all

    _check_optimizer(mx, options.optimizer)
    begin_epoch = checkpoint.epoch if checkpoint else options.begin_epoch
    seed_all(options.seed)
    data = open_data(mx, options, epoch=begin_epoch, part=part, num_parts=num_parts)
    seed_all(options.seed)
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
        "begin_epoch": begin_epoch,
        "num_epoch": options.num_epochs,
    }
    module = mx.mod.Module(network, context=mx.cpu())
    if checkpoint:
        arg_params, aux_params = mx.model.load_params(str(checkpoint.prefix), checkpoint.epoch)
        arguments |= {"arg_params": arg_params, "aux_params": aux_params}
        # What `Module.load` sets: fit's init_optimizer reads the optimizer and its states from it.
        module._preload_opt_states = str(checkpoint.states)
    return Training(module=module, data=data, arguments=arguments)


def _optimizer_params(options: RunOptions) -> dict[str, Any]:
    params: dict[str, Any] = {"learning_rate": options.lr}
    if options.optimizer.lower() in _WITH_MOMENTUM:
        params["momentum"] = options.mom
    return params


def _check_optimizer(mx: Any, name: str) -> None:
    known = sorted(mx.optimizer.Optimizer.opt_registry)
    if name.lower() not in known:
        raise TrainingError(f"no optimizer named {name!r}; known: {', '.join(known)}")
