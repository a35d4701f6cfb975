"""Make the sample logs of this folder, each by a real training with a real MXNet.

A parser tested on hand-written lines is tested on what its author believes; these files hold what
`fit` and the callbacks really wrote. One MXNet can be installed at a time, so a run makes only the
logs meant for the version it finds: run the script again in a second environment for the others.
Every scenario has a process, a seed and a temporary folder of its own, so that none can change
another's digits, one of them can be killed in earnest, and no machine's path gets into a log.
"""

import argparse
import importlib
import importlib.metadata
import json
import logging
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

SEED = 20260
BATCH_SIZE = 32
BATCHES = 35
EVAL_BATCHES = 11
FREQUENT = 10
NUM_EPOCH = 3
NUM_CLASSES = 10
NUM_FEATURES = 20

WITH_NODE = "%(asctime)-15s Node[0] %(message)s"
WITH_TIME = "%(asctime)s %(message)s"
KILLED = -signal.SIGKILL

# A user's script that logs a traceback. It is a file, and not a function here, because a traceback
# prints the path of its code.
TRAIN_PY = """\
import json
import logging

def read_means(path):
    with open(path) as means:
        return json.load(means)

try:
    read_means("means.json")
except OSError:
    logging.exception("no means to subtract, the data stay as they are")
"""

Floats = npt.NDArray[np.float32]


class CrlfHandler(logging.FileHandler):
    """Ends records as a program on Windows does."""

    terminator = "\r\n"


class TearingHandler(logging.FileHandler):
    """Writes half of one record, then kills the process: what a job scheduler leaves behind."""

    last_words = "Epoch[1] Batch [10-20]"

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, or the first half of it and nothing ever after."""
        if not record.getMessage().startswith(self.last_words):
            super().emit(record)
            return
        line = self.format(record).encode()
        with Path(self.baseFilename).open("ab") as log:
            log.write(line[: len(line) // 2])
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One sample log: what it shows, the training and the MXNet (as PyPI numbers it) that make it.

    `train` gets the imported mxnet; `takes_prints` leads stdout and stderr into the log as well;
    `exit_code` is what the process must end with.
    """

    name: str
    shows: str
    train: Callable[[Any], None]
    _: KW_ONLY
    mxnet: str = "1.9.1"
    log_format: str = "%(message)s"
    handler: type[logging.FileHandler] = logging.FileHandler
    takes_prints: bool = False
    exit_code: int = 0


def canonical(mx: Any) -> None:
    """Train with two metrics, a Speedometer and a validation."""
    fit(mx)


def with_checkpoints(mx: Any) -> None:
    """Train as `canonical` does, with a checkpoint after each epoch."""
    fit(mx, epoch_end_callback=mx.callback.do_checkpoint("model"))


def running_means(mx: Any) -> None:
    """Train with a Speedometer that never resets the metrics."""
    fit(mx, batch_end_callback=mx.callback.Speedometer(BATCH_SIZE, FREQUENT, auto_reset=False))


def checkpoints(mx: Any) -> None:
    """Train with both kinds of checkpoint, the second with the optimizer's states."""
    module = mx.mod.Module(mlp(mx), context=mx.cpu())
    save_all = mx.callback.module_checkpoint(module, "module", save_optimizer_states=True)
    fit(mx, module, epoch_end_callback=[mx.callback.do_checkpoint("model"), save_all])


def lr_schedule(mx: Any) -> None:
    """Train while the learning rate falls, until it may fall no further."""
    scheduler = mx.lr_scheduler.FactorScheduler(25, factor=0.5, stop_factor_lr=0.02, base_lr=0.1)
    fit(mx, optimizer_params={"lr_scheduler": scheduler})


def train_metric(mx: Any) -> None:
    """Train with `log_train_metric` beside the Speedometer."""
    fit(mx, batch_end_callback=[speedometer(mx), mx.callback.log_train_metric(FREQUENT)])


def eval_speedometer(mx: Any) -> None:
    """Train with a second Speedometer, on the validation's batches."""
    fit(mx, eval_batch_end_callback=mx.callback.Speedometer(BATCH_SIZE, 5))


def single_batch_epochs(mx: Any) -> None:
    """Train on one batch an epoch: the Speedometer counts back from batch 0."""
    fit(mx, train_data=data_iter(mx, batches=1))


def nan_loss(mx: Any) -> None:
    """Train at a learning rate that makes the weights overflow after some batches."""
    fit(mx, optimizer_params={"learning_rate": 100.0})


def no_metric(mx: Any) -> None:
    """Train with a Speedometer that is shown no metric, as loops other than `fit` do."""
    speed = speedometer(mx)

    def without_metric(param: Any) -> None:
        speed(param._replace(eval_metric=None))

    fit(mx, batch_end_callback=without_metric)


def no_validation(mx: Any) -> None:
    """Train without validation data."""
    fit(mx, eval_data=None)


def six_metrics(mx: Any) -> None:
    """Train with six metrics, one of them under a name that holds a blank and an equals sign."""
    names = [
        "accuracy",
        mx.metric.TopKAccuracy(top_k=3),
        "ce",
        "rmse",
        mx.metric.Perplexity(ignore_label=None),
        mx.metric.CustomMetric(lowest_margin, name="x y=z"),
    ]
    fit(mx, eval_metric=mx.metric.create(names))


def resumed(mx: Any) -> None:
    """Train two epochs unlogged, then go on from their checkpoint."""
    logging.disable(logging.INFO)
    fit(mx, num_epoch=2, epoch_end_callback=mx.callback.do_checkpoint("model"))
    logging.disable(logging.NOTSET)
    _, arg_params, aux_params = mx.model.load_checkpoint("model", 2)
    fit(mx, arg_params=arg_params, aux_params=aux_params, begin_epoch=2, num_epoch=5)


def restarted(mx: Any) -> None:
    """Train until a callback fails in epoch 1, then start again from epoch 0."""

    def fail(param: Any) -> None:
        if (param.epoch, param.nbatch) == (1, 17):
            raise ConnectionError

    try:
        fit(mx, batch_end_callback=[speedometer(mx), fail])
    except ConnectionError:
        fit(mx)


def feedforward(mx: Any) -> None:
    """Train with the older `FeedForward` interface, whose lines differ from `Module.fit`'s."""
    model = mx.model.FeedForward(
        mlp(mx), ctx=mx.cpu(), num_epoch=NUM_EPOCH, learning_rate=0.1, initializer=mx.init.Xavier()
    )
    model.fit(
        X=data_iter(mx, batches=BATCHES),
        eval_data=data_iter(mx, batches=EVAL_BATCHES),
        batch_end_callback=speedometer(mx),
        epoch_end_callback=mx.callback.do_checkpoint("model"),
    )


def long(mx: Any) -> None:
    """Train 100 epochs, slowly enough that the curves still move at their end."""
    fit(
        mx,
        train_data=data_iter(mx, batches=45),
        batch_end_callback=mx.callback.Speedometer(BATCH_SIZE, 20),
        optimizer_params={"learning_rate": 0.004},
        num_epoch=100,
    )


def mixed_output(mx: Any) -> None:
    """Train while other things are printed into the same file."""
    settings = {"network": "mlp", "optimizer": {"name": "sgd", "learning_rate": 0.1}, "gpus": None}
    print("训练开始: 十个类别, 批大小", BATCH_SIZE, flush=True)
    print(json.dumps(settings, indent=2), flush=True)
    Path("train.py").write_text(TRAIN_PY)
    runpy.run_path("train.py")

    def print_dot(param: Any) -> None:
        if param.nbatch % 5 == 0:
            print(".", end="", flush=True)

    def print_norm(epoch: int, _symbol: Any, arg_params: Any, _aux: Any) -> None:
        norm = float(arg_params["fc1_weight"].norm().asscalar())
        print(f"第{epoch}轮 |fc1_weight| = {norm:.4f}", flush=True)

    fit(mx, batch_end_callback=[print_dot, speedometer(mx)], epoch_end_callback=print_norm)


SCENARIOS = (
    Scenario("canonical", "accuracy and cross-entropy, with validation", canonical),
    Scenario("basic-prefix", "the prefix `INFO:root:`", canonical, log_format=logging.BASIC_FORMAT),
    Scenario("node-prefix", "time and `Node[0]` before a record", canonical, log_format=WITH_NODE),
    Scenario("timestamps", "date and time before a record", canonical, log_format=WITH_TIME),
    Scenario("running-means", "`auto_reset=False`: ranges that all start at 0", running_means),
    Scenario("checkpoints", "parameters and optimizer states saved each epoch", checkpoints),
    Scenario("lr-schedule", "the messages of `FactorScheduler`", lr_schedule),
    Scenario("train-metric", "`log_train_metric` beside the Speedometer", train_metric),
    Scenario("eval-speedometer", "speeds of validation, whose result is nan", eval_speedometer),
    Scenario("single-batch-epochs", "one batch an epoch: `Batch [-10-0]`", single_batch_epochs),
    Scenario("nan-loss", "a loss that turns into nan within epoch 0", nan_loss),
    Scenario("no-metric", "`Iter[..] Batch [..]` lines, which have no metric", no_metric),
    Scenario("no-validation", "no `Validation-` lines", no_validation),
    Scenario("six-metrics", "six metrics, one of them named `x y=z`", six_metrics),
    Scenario("resumed", "a run that begins at epoch 2", resumed),
    Scenario("restarted", "two runs in one file, the first broken off in epoch 1", restarted),
    Scenario("killed", "a torn last line", canonical, handler=TearingHandler, exit_code=KILLED),
    Scenario("crlf", "CRLF line ends", canonical, handler=CrlfHandler),
    Scenario("feedforward", "the lines of `FeedForward`", feedforward),
    Scenario("long", "100 epochs, for plots", long),
    Scenario("mixed-output", "records among other output", mixed_output, takes_prints=True),
    Scenario("mxnet-0.9", "a speed line for each metric", with_checkpoints, mxnet="0.9.5.post2"),
    Scenario("mxnet-0.12", "one speed line for all metrics", with_checkpoints, mxnet="0.12.1"),
    Scenario("mxnet-1.2", "`Train-` of the last window", with_checkpoints, mxnet="1.2.1.post1"),
    Scenario("mxnet-1.4", "batch ranges, `Train-` of the epoch", with_checkpoints, mxnet="1.4.1"),
)


def main() -> int:
    """Make the logs asked for; 1 if a training ended in a way its scenario does not want."""
    parser = argparse.ArgumentParser(description="make sample logs by real trainings")
    parser.add_argument("scenario", nargs="*", help="default: all of the installed MXNet's")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--list", action="store_true", help="say what there is, make nothing")
    args = parser.parse_args()
    if args.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:20} mxnet {scenario.mxnet:12} {scenario.shows}")
        return 0
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := [name for name in args.scenario if name not in known]:
        parser.error(f"no scenario named {unknown[0]!r}; known: {', '.join(known)}")
    installed = importlib.metadata.version("mxnet")
    failures = 0
    for scenario in [known[name] for name in args.scenario] or SCENARIOS:
        if scenario.mxnet != installed:
            print(f"{scenario.name}: left out, needs mxnet {scenario.mxnet}, not {installed}")
        elif (exit_code := make(scenario, args.out.resolve())) != scenario.exit_code:
            print(f"{scenario.name}: ended with {exit_code}, not {scenario.exit_code}")
            failures += 1
        else:
            print(f"{scenario.name}: made")
    return 1 if failures else 0


def make(scenario: Scenario, out: Path) -> int | None:
    """Run `scenario` in a fresh process that writes `out/<name>.log`; its exit code."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{scenario.name}.log"
    path.unlink(missing_ok=True)
    # Spawned, not forked: a fork of a process that has used MXNet's engine may hang.
    process = multiprocessing.get_context("spawn").Process(
        target=train_into, args=(scenario.name, path)
    )
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        process.start()
        process.join()
        os.chdir(before)
    return process.exitcode


def train_into(name: str, path: Path) -> None:
    """Run the training of scenario `name` with the root logger writing to `path`."""
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    mx = import_mxnet()
    handler = scenario.handler(path, encoding="utf-8")
    if scenario.takes_prints:
        # What `train.py >log 2>&1` does; MXNet's C++ side writes to stderr past Python.
        log = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, sys.stdout.fileno())
        os.dup2(log, sys.stderr.fileno())
    handler.setFormatter(logging.Formatter(scenario.log_format))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    mx.random.seed(SEED)
    np.random.seed(SEED)
    scenario.train(mx)


def import_mxnet() -> Any:
    """Import any MXNet from 0.9 to 1.9 on the Python and numpy of today."""
    gone = {"bool": bool, "int": int, "float": float, "complex": complex, "object": object}
    gone |= {"str": str, "unicode": str, "long": int}
    for name, builtin in gone.items():
        if name not in vars(np):
            setattr(np, name, builtin)
    if importlib.metadata.version("mxnet").startswith("1.2."):
        # It holds a `yield` inside a list, which is a syntax error since Python 3.8; gluon's data
        # loader plays no part here.
        name = "mxnet.gluon.data.dataloader"
        sys.modules[name] = ModuleType(name)
    return importlib.import_module("mxnet")


def fit(mx: Any, module: Any = None, **changes: Any) -> None:
    """Call `Module.fit` as `canonical` does, but for the arguments in `changes`."""
    arguments: dict[str, Any] = {
        "train_data": data_iter(mx, batches=BATCHES),
        "eval_data": data_iter(mx, batches=EVAL_BATCHES),
        "eval_metric": mx.metric.create(["accuracy", "ce"]),
        "batch_end_callback": speedometer(mx),
        "optimizer_params": {"learning_rate": 0.1},
        "initializer": mx.init.Xavier(),
        "num_epoch": NUM_EPOCH,
    }
    (module or mx.mod.Module(mlp(mx), context=mx.cpu())).fit(**(arguments | changes))


def mlp(mx: Any) -> Any:
    """Give the symbol of a net with one hidden layer."""
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=64, name="fc1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=NUM_CLASSES, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def speedometer(mx: Any) -> Any:
    """Give the Speedometer most scenarios use."""
    return mx.callback.Speedometer(BATCH_SIZE, FREQUENT)


def data_iter(mx: Any, *, batches: int) -> Any:
    """Give an iterator over `batches` batches of the synthetic set."""
    return mx.io.NDArrayIter(*synthetic_set(batches), BATCH_SIZE)


def synthetic_set(batches: int) -> tuple[Floats, Floats]:
    """Draw data (rows, 20) and labels (rows,): ten overlapping clouds, different per `batches`."""
    centres = np.random.default_rng(SEED).normal(size=(NUM_CLASSES, NUM_FEATURES))
    rng = np.random.default_rng([SEED, batches])
    labels = rng.integers(NUM_CLASSES, size=batches * BATCH_SIZE)
    data = centres[labels] + rng.normal(scale=1.5, size=(len(labels), NUM_FEATURES))
    return data.astype(np.float32), labels.astype(np.float32)


def lowest_margin(labels: Floats, probabilities: Floats) -> float:
    """Give the lowest p(label) - p(best class) of a batch: a metric that is negative."""
    chosen = probabilities[np.arange(len(labels)), labels.astype(int)]
    return float((chosen - probabilities.max(axis=1)).min())


if __name__ == "__main__":
    sys.exit(main())
