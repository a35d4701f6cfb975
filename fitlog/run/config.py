"""The options of `fitlog run` from a TOML file: its keys are the options' names."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from fitlog.errors import SettingError
from fitlog.run.settings import CHOICES, RunOptions

_Check = Callable[[Any], bool]


def read_config(path: Path) -> dict[str, Any]:
    """The options that a file sets, as fields of RunOptions with values of their types.

    Keys are written as on the command line (`num-epochs`) or as in `run.json` (`num_epochs`).

    Raises:
        SettingError: the file cannot be read or is no TOML, or a key is no option, is there twice,
        or has a value of the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingError(f"--config {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingError(f"{path}: is no TOML: {error}") from None
    types = {field.name: str(field.type) for field in fields(RunOptions)}
    options: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in types:
            known = ", ".join(name.replace("_", "-") for name in types)
            raise SettingError(f"{path}: no option named {key!r}; known: {known}")
        if name in options:
            raise SettingError(f"{path}: {key} is there twice, with - and with _")
        options[name] = _converted(value, types[name], f"{path}: {key} = {_shown(value)}")
        choices = CHOICES.get(name)
        if choices and value not in choices:
            raise SettingError(f"{path}: no {key} named {value!r}; known: {', '.join(choices)}")
    return options


def _converted(value: Any, annotation: str, place: str) -> Any:
    """The value as a field's type wants it."""
    accepts, wanted = _TYPES[annotation.removesuffix(" | None")]
    if not accepts(value):
        raise SettingError(f"{place}: must be {wanted}")
    if annotation.startswith("tuple"):
        return tuple(value)
    if annotation.startswith("Path"):
        return Path(value)
    return float(value) if annotation == "float" else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return repr(value) if not isinstance(value, bool) else str(value).lower()


_TYPES: Final[dict[str, tuple[_Check, str]]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "Path": (lambda value: isinstance(value, str), "text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_whole, "a whole number"),
    "float": (lambda value: _is_whole(value) or isinstance(value, float), "a number"),
    "tuple[int, ...]": (
        lambda value: isinstance(value, list) and all(map(_is_whole, value)),
        "a list of whole numbers",
    ),
    "tuple[str, ...]": (
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "a list of texts",
    ),
}
