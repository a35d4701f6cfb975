"""From options to a training: module, data, and what `Module.fit` is given with them."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitlog.errors import TrainingError
from fitlog.run.checkpoints import Checkpoint, restore_states
from fitlog.run.data import Data, open_data
from fitlog.run.metrics import make_metrics
from fitlog.run.networks import build_network
from fitlog.run.schedule import make_scheduler, plan_schedule
from fitlog.run.settings import RunOptions


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

    Of `num_parts` workers, that of rank `part`. Seeds MXNet's and numpy's generators, from which
    initial weights are drawn. With a `checkpoint`, the training goes on as if it had just made it.

    Raises:
        TrainingError: options, data or a checkpoint that cannot work.
    """
    from fitlog.run.seeding import seed_all

    _check_optimizer(mx, options.optimizer)
    _check_store(mx, options.kv_store)
    if options.dtype == "float16" and not options.gpus:
        raise TrainingError("--dtype float16: MXNet calculates in it on GPUs only; see --gpus")
    context = _devices(mx, options.gpus)
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
    if checkpoint:
        arg_params, aux_params = mx.model.load_params(str(checkpoint.prefix), checkpoint.epoch)
    else:
        arg_params, aux_params = _load_params(mx, options, network, data)
    arguments = {
        "eval_data": data.validation,
        "eval_metric": make_metrics(mx, options, data.num_classes),
        "batch_end_callback": mx.callback.Speedometer(options.batch_size, options.disp_batches),
        "kvstore": options.kv_store,
        "optimizer": options.optimizer,
        "optimizer_params": _optimizer_params(mx, options, data.batches_per_epoch),
        "initializer": _initializer(mx, options.network),
        "arg_params": arg_params,
        "aux_params": aux_params,
        "begin_epoch": begin_epoch,
        "num_epoch": options.num_epochs,
        "monitor": mx.mon.Monitor(options.monitor, pattern=".*") if options.monitor else None,
    }
    module = mx.mod.Module(network, context=context)
    if checkpoint:
        restore_states(module, checkpoint)
        if options.monitor:
            arguments["monitor"].step = begin_epoch * data.batches_per_epoch  # it counts them all
    return Training(module=module, data=data, arguments=arguments)


def _check_optimizer(mx: Any, name: str) -> None:
    known = sorted(mx.optimizer.Optimizer.opt_registry)
    if name.lower() not in known:
        raise TrainingError(f"no optimizer named {name!r}; known: {', '.join(known)}")


def _check_store(mx: Any, name: str) -> None:
    if name.startswith(("dist", "p3")) and "DMLC_ROLE" not in os.environ:
        raise TrainingError(
            f"--kv-store {name}: this process is no worker of a distributed job (DMLC_ROLE is not"
            " set); --workers starts one"
        )
    if name == "nccl" and not mx.runtime.Features().is_enabled("NCCL"):
        raise TrainingError("--kv-store nccl: this build of MXNet has no NCCL; try device")


def _devices(mx: Any, gpus: tuple[int, ...]) -> Any:
    """The CPU, or the GPUs asked for."""
    if not gpus:
        return mx.cpu()
    option = f"--gpus {','.join(map(str, gpus))}"
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise TrainingError(
            f"{option}: this build of MXNet is for the CPU only; leave --gpus out, or install one"
            " with CUDA, such as mxnet-cu112"
        )
    try:
        count = mx.context.num_gpus()
    except mx.base.MXNetError as error:  # no driver
        raise TrainingError(f"{option}: no GPU can be used here ({error})") from None
    missing = [gpu for gpu in gpus if gpu >= count]
    if missing:
        there = f"0 to {count - 1}" if count else "none"
        raise TrainingError(f"{option}: there is no GPU {missing[0]}; there are: {there}")
    return [mx.gpu(gpu) for gpu in gpus]


def _initializer(mx: Any, network: str) -> Any:
    if network.startswith("resnet"):  # as MXNet's examples, after He et al. 2015
        return mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2)
    return mx.init.Xavier()


def _optimizer_params(mx: Any, options: RunOptions, batches_per_epoch: int) -> dict[str, Any]:
    schedule = plan_schedule(options, batches_per_epoch)
    scheduler = make_scheduler(mx, options, schedule)
    params: dict[str, Any] = {"learning_rate": schedule.lr, "wd": options.wd}
    if scheduler is not None:
        params["lr_scheduler"] = scheduler
    if options.dtype == "float16":
        params["multi_precision"] = True  # weights are kept in float32, too
    optimizer = mx.optimizer.Optimizer.opt_registry[options.optimizer.lower()]
    if "momentum" in inspect.signature(optimizer).parameters:
        params["momentum"] = options.mom
    return params


def _load_params(mx: Any, options: RunOptions, network: Any, data: Data) -> tuple[Any, Any]:
    """The parameters of the checkpoint to go on from; nothing where none is asked for."""
    if options.load_epoch is None:
        return None, None
    path = Path(f"{options.model_prefix}-{options.load_epoch:04d}.params")
    if not path.is_file():
        raise TrainingError(f"{path}: no such checkpoint; see --model-prefix and --load-epoch")
    try:
        arg_params, aux_params = mx.model.load_params(str(options.model_prefix), options.load_epoch)
    except (mx.base.MXNetError, ValueError) as error:
        raise TrainingError(f"{path}: is no checkpoint of MXNet, or is damaged") from error
    found = {name: array.shape for name, array in {**arg_params, **aux_params}.items()}
    arg_shapes, _, aux_shapes = network.infer_shape(data=(options.batch_size, *data.image_shape))
    inputs = ("data", "softmax_label")
    names = [*network.list_arguments(), *network.list_auxiliary_states()]
    for name, shape in zip(names, [*arg_shapes, *aux_shapes], strict=True):
        if name not in inputs and found.get(name) != shape:
            raise TrainingError(
                f"{path}: its {name} is {found.get(name, 'missing')}, but --network"
                f" {options.network} needs {shape}: it was made by another network or for other"
                " data"
            )
    return arg_params, aux_params
