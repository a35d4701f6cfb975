"""Checkpoints that are whole, known to be whole, and enough to go on exactly.

A checkpoint is plain files: `<prefix>-symbol.json` and `<prefix>-0001.params`, which
`mx.model.load_checkpoint` reads; `<prefix>-0001.states`, the optimizer and its states; and
`<prefix>-0001.json`, its manifest, which holds the size and the SHA-256 of each of the others.

Upstream calls the epoch's callbacks, then validates, then resets the iterator (base_module.py,
BaseModule.fit). The manifest is written last, when all of it is done: an epoch with a manifest is
one that need not be trained again, and `log_bytes` is where its lines end in the log.

States are a pickle, which can do anything when it is loaded: only what a manifest vouches for is.
"""

from __future__ import annotations

import json
import logging
import pickle
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.durable import hash_file, sync_file, sync_folder, write_whole

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a checkpoint, as it was when it was written; `name` is without the folder."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A manifest: what there is of the state after `epoch` epochs of the run begun at `run`."""

    prefix: Path
    run: str
    epoch: int
    log_bytes: int
    files: tuple[StoredFile, ...]

    @property
    def manifest(self) -> Path:
        """Where the manifest is."""
        return numbered(self.prefix, self.epoch, "json")

    @property
    def states(self) -> Path:
        """The optimizer and its states, pickled."""
        return numbered(self.prefix, self.epoch, "states")


class Checkpointer:
    """Writes the checkpoints of one fit, every `period` epochs.

    It is the fit's `epoch_end_callback`; `complete` is called when the iterator has been reset.
    Where servers of a distributed job update the parameters, there is no manifest: such a training
    cannot be resumed exactly.
    """

    def __init__(self, module: Any, prefix: Path, *, run: str, log: Path, period: int = 1) -> None:
        self._module = module
        self._prefix = prefix
        self._run = run
        self._log = log
        self._period = period
        self._epoch: int | None = None
        self._files: list[StoredFile] = []

    def __call__(
        self, epoch: int, symbol: Any, arg_params: dict[str, Any], aux_params: dict[str, Any]
    ) -> None:
        """Write the files of a checkpoint, and the line that upstream's `do_checkpoint` logs.

        Raises:
            TrainingError: one of them cannot be written, or does not read back as what was written.
        """
        number = epoch + 1  # as upstream names them: after the epochs that are done
        if number % self._period:
            return
        params = numbered(self._prefix, number, "params")
        files = [
            _store_symbol(_symbol_file(self._prefix), symbol),
            _store_params(params, arg_params, aux_params),
        ]
        states = _states(self._module)
        if states is not None:
            files.append(_store(numbered(self._prefix, number, "states"), states))
            self._epoch, self._files = number, files
        logging.info('Saved checkpoint to "%s"', params)

    def complete(self) -> None:
        """Write the manifest: the epoch is over, with its validation.

        Raises:
            TrainingError: it cannot be written.
        """
        if self._epoch is None:
            return
        path = numbered(self._prefix, self._epoch, "json")
        try:
            sync_file(self._log)
            sync_folder(path.parent)
            manifest = {
                "schema": SCHEMA,
                "run": self._run,
                "epoch": self._epoch,
                "log_bytes": self._log.stat().st_size,
                "files": [asdict(file) for file in self._files],
            }
            _store(path, (json.dumps(manifest, indent=2) + "\n").encode())
            sync_folder(path.parent)
        except OSError as error:
            raise TrainingError(f"cannot write {path}: {error.strerror}") from error
        self._epoch = None

    def save_interrupted(self) -> Path:
        """Write the parameters as they are in the midst of an epoch; nothing is resumed from them.

        Raises:
            TrainingError: they cannot be written.
        """
        path = self._prefix.with_name(f"{self._prefix.name}-interrupted.params")
        _store_params(path, *self._module.get_params())
        return path


def numbered(prefix: Path, epoch: int, suffix: str) -> Path:
    """The file of a checkpoint as upstream names it (model.py, save_checkpoint)."""
    return prefix.with_name(f"{prefix.name}-{epoch:04d}.{suffix}")


def find_checkpoint(
    prefix: Path, *, run: str, log: Path, say: Callable[[str], None]
) -> Checkpoint | None:
    """The newest checkpoint of the run that is whole; `say` is told why each newer one is not.

    Runs may share a prefix: those of others are passed over.

    Raises:
        OSError: the folder cannot be read.
    """
    pattern = re.compile(rf"{re.escape(prefix.name)}-(\d{{4,}})\.json")
    found = {
        int(match[1]): path
        for path in prefix.parent.iterdir()
        if (match := pattern.fullmatch(path.name))
    }
    log_bytes = log.stat().st_size
    for _, path in sorted(found.items(), reverse=True):
        try:
            checkpoint = _read_manifest(path, prefix)
            if checkpoint.run != run:
                continue
            _check(checkpoint)
            if checkpoint.log_bytes > log_bytes:
                raise TrainingError(f"lines of it are missing in {log.name}")
        except (TrainingError, OSError) as error:
            say(f"the checkpoint {path.name} cannot be used: {error}")
        else:
            return checkpoint
    return None


def restore_states(module: Any, checkpoint: Checkpoint) -> None:
    """Let the module's `fit` begin with the optimizer of the checkpoint and its states.

    Upstream's own way (Module.load) makes an optimizer first, which may log that it was made, and
    leaves it to the module in the place of the one in use.
    """
    init_optimizer = module.init_optimizer

    def init_and_restore(**arguments: Any) -> None:
        content = checkpoint.states.read_bytes()
        states, optimizer = pickle.loads(content)  # noqa: S301  # the manifest vouches for it
        init_optimizer(**{**arguments, "optimizer": optimizer})
        updater = _updater(module)
        updater.states = states
        updater.states_synced = dict.fromkeys(states, False)  # as its set_states does

    module.init_optimizer = init_and_restore


def _read_manifest(path: Path, prefix: Path) -> Checkpoint:
    """What a manifest says.

    Raises:
        TrainingError: it says nothing that makes sense. OSError: it cannot be read.
    """
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["schema"] != SCHEMA:
            raise TrainingError(f"its schema is {manifest['schema']}, not {SCHEMA}")
        checkpoint = Checkpoint(
            prefix=prefix,
            run=str(manifest["run"]),
            epoch=int(manifest["epoch"]),
            log_bytes=int(manifest["log_bytes"]),
            files=tuple(StoredFile(**file) for file in manifest["files"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise TrainingError(f"it is no manifest: {error}") from None
    expected = {_symbol_file(prefix).name} | {
        numbered(prefix, checkpoint.epoch, suffix).name for suffix in ("params", "states")
    }
    if checkpoint.manifest.name != path.name or {f.name for f in checkpoint.files} != expected:
        raise TrainingError("it is no manifest: it is of other files")
    return checkpoint


def _check(checkpoint: Checkpoint) -> None:
    for file in checkpoint.files:
        path = checkpoint.prefix.with_name(file.name)
        if not path.is_file():
            raise TrainingError(f"{file.name} is missing")
        if path.stat().st_size != file.bytes or hash_file(path) != file.sha256:
            raise TrainingError(f"{file.name} is not as it was written")


def _symbol_file(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}-symbol.json")


def _states(module: Any) -> bytes | None:
    """The optimizer, which counts its updates and may hold a schedule, and its states.

    None where they are in the hands of servers, which keep them to themselves.
    """
    updater = _updater(module)
    return None if updater is None else bytes(updater.get_states(dump_optimizer=True))


def _updater(module: Any) -> Any:
    return module._kvstore._updater if module._update_on_kvstore else module._updater


def _store_symbol(path: Path, symbol: Any) -> StoredFile:
    content = symbol.tojson().encode()
    if path.is_file() and path.read_bytes() == content:  # as after every epoch but the first
        return _describe(path)
    return _store(path, content)


def _store(path: Path, content: bytes) -> StoredFile:
    def check(draft: Path) -> None:
        if draft.read_bytes() != content:
            raise OSError(None, "what was read back is not what was written")

    return _stored(path, lambda draft: draft.write_bytes(content), check)


def _store_params(path: Path, arg_params: dict[str, Any], aux_params: dict[str, Any]) -> StoredFile:
    """Parameters as upstream saves them (model.py, save_checkpoint), but read back.

    MXNet's writer does not notice when the last of a file finds no room: small parameters of a
    training whose disk is full end as a file of no bytes, and are said to be saved.
    """
    import mxnet as mx

    arrays = {f"arg:{name}": value.as_in_context(mx.cpu()) for name, value in arg_params.items()}
    arrays |= {f"aux:{name}": value.as_in_context(mx.cpu()) for name, value in aux_params.items()}

    def check(draft: Path) -> None:
        loaded: Any = mx.nd.load(str(draft))
        if loaded.keys() != arrays.keys() or any(
            value.asnumpy().tobytes() != arrays[name].asnumpy().tobytes()
            for name, value in loaded.items()
        ):
            raise OSError(None, "what was read back is not what was written")

    return _stored(path, lambda draft: mx.nd.save(str(draft), arrays), check)


def _stored(
    path: Path, write: Callable[[Path], object], check: Callable[[Path], object]
) -> StoredFile:
    from mxnet.base import MXNetError

    try:
        write_whole(path, write, check)
        return _describe(path)
    except MXNetError as error:  # which does not say why
        raise TrainingError(f"cannot write {path} whole: is the disk full?") from error
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror}") from error


def _describe(path: Path) -> StoredFile:
    return StoredFile(name=path.name, bytes=path.stat().st_size, sha256=hash_file(path))
