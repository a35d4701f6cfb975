"""`fitlog run` as a process that can be made to end itself by SIGKILL at a point of its own.

    python stoppable.py [--stop NAME:NUMBER:before|after] run --network mlp ... [then run ...]

NAME is a function of `os` that writing safely hangs on: the process ends as it is called for the
NUMBERth time. Commands with `then` between them run in one process. The network `lenet` is one with
dropout and batch normalisation here, for among fitlog's own none has both.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def main(arguments: list[str]) -> None:
    if arguments[0] == "--stop":
        name, number, when = arguments[1].split(":")
        install(name, int(number), when)
        arguments = arguments[2:]
    from fitlog.cli.app import app
    from fitlog.run import training
    from fitlog.run.networks import build_network

    def build(mx: Any, name: str, **facts: Any) -> Any:
        return random_network(mx) if name == "lenet" else build_network(mx, name, **facts)

    setattr(training, "build_network", build)  # noqa: B010  # what types it has is another matter
    for command in " ".join(arguments).split(" then "):
        if code := app(command.split(" "), standalone_mode=False):
            sys.exit(code)


def install(name: str, number: int, when: str) -> None:
    call: Callable[..., Any] = getattr(os, name)
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **kwargs)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, name, counted)


def random_network(mx: Any) -> Any:
    net = mx.sym.Flatten(mx.sym.Variable("data"), name="flatten1")
    net = mx.sym.FullyConnected(net, num_hidden=48, name="dense1")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="norm1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.Dropout(net, p=0.5, name="dropout1")
    net = mx.sym.FullyConnected(net, num_hidden=10, name="output")
    return mx.sym.SoftmaxOutput(net, name="softmax")


if __name__ == "__main__":
    main(sys.argv[1:])
