"""What each process of a distributed `fitlog run` does; what it is, its environment says.

Called as `python -m fitlog.run.worker TASK`, a task being the text that `format_task` makes.
Scheduler and servers do their work inside of `import mxnet`, and end there. A worker trains its
part of the data and writes its log to stdout, each line begun with its rank as MXNet's examples do
(example/image-classification/common/fit.py: `Node[0] `).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import sys
import traceback
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, NoReturn

from fitlog.errors import FitlogError
from fitlog.run.settings import RunOptions
from fitlog.run_folder import RUN_LOG

# The last line of a worker's log: ranks that were kept in step have the same parameters.
PARAMETERS: Final = "Parameters sha256="
_FAILED: Final = 1
_REFUSED: Final = 2
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the workers train, and the folder that checkpoints and phases go to."""

    options: RunOptions
    folder: Path


def format_task(task: Task) -> str:
    """The task as JSON, which a command line can hold."""
    return json.dumps({"folder": str(task.folder), "options": task.options.as_record()})


def parse_task(text: str) -> Task:
    """The task that `format_task` has written."""
    task = json.loads(text)
    types = {field.name: str(field.type) for field in fields(RunOptions)}
    options = {name: _typed(value, types[name]) for name, value in task["options"].items()}
    return Task(options=RunOptions(**options), folder=Path(task["folder"]))


def main() -> None:
    """Be what the environment says.

    A worker that fails leaves at once: on the usual way out MXNet waits for all the others.
    """
    try:
        task = parse_task(sys.argv[1])
        from fitlog.run.shim import import_mxnet

        train_rank(import_mxnet(), task)
    except FitlogError as error:
        _leave(_REFUSED, f"fitlog: {error}\n")
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    except Exception:
        _leave(_FAILED, traceback.format_exc())


def train_rank(mx: Any, task: Task) -> None:
    """Train this rank's part of the data, in step with the others as the key-value store has it."""
    from fitlog.run.checkpoints import Checkpointer
    from fitlog.run.instrument import fit
    from fitlog.run.recorded import checkpoint_prefix, watch_nans
    from fitlog.run.sampling import DEFAULT_EVERY
    from fitlog.run.training import build_training

    options = task.options
    store = mx.kv.create(options.kv_store)
    rank = store.rank
    logging.basicConfig(
        level=logging.INFO, format=f"Node[{rank}] %(message)s", stream=sys.stdout, force=True
    )
    logging.info("start with arguments %s", argparse.Namespace(**options.as_record()))
    training = build_training(mx, options, part=rank, num_parts=store.num_workers)
    task.folder.mkdir(parents=True, exist_ok=True)  # on another machine it need not be there
    # Where servers update the parameters there is nothing to resume, and no manifest is written.
    checkpointer = Checkpointer(
        training.module,
        checkpoint_prefix(options, task.folder),
        run="",
        log=task.folder / RUN_LOG,
        period=options.save_period,
    )
    sync_every = options.sync_every
    if sync_every is None:
        # At least one batch of an epoch: it tells a rank's own pace from that of the others.
        sync_every = min(DEFAULT_EVERY, max(2, training.data.batches_per_epoch - 1))
    nans = watch_nans(options)
    arguments = {
        **training.arguments,
        "kvstore": store,
        "batch_end_callback": [nans.before_report, training.arguments["batch_end_callback"]],
        "epoch_end_callback": [nans.after_epoch, *([checkpointer] if rank == 0 else [])],
    }
    fit(
        training.module,
        training.data.train,
        phases=task.folder / f"phases-{rank}.jsonl",
        sync_every=sync_every,
        fast=options.fast,
        **arguments,
    )
    logging.info("%s%s", PARAMETERS, _hash_parameters(training.module))


def _leave(code: int, message: str = "") -> NoReturn:
    with contextlib.suppress(OSError):  # the launcher may be gone
        sys.stderr.write(message)
        sys.stderr.flush()
        sys.stdout.flush()
    os._exit(code)


def _typed(value: Any, annotation: str) -> Any:
    """What JSON has as a list or a text, as a field's type wants it."""
    if value is not None and annotation.startswith("tuple"):
        return tuple(value)
    if value is not None and annotation.startswith("Path"):
        return Path(value)
    return value


def _hash_parameters(module: Any) -> str:
    parameters, _ = module.get_params()  # what is beside them, each rank has of its own
    digest = hashlib.sha256()
    for name in sorted(parameters):
        digest.update(name.encode())
        digest.update(parameters[name].asnumpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
