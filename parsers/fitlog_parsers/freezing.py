"""What a reader remembers of a log between two of its lines, as text: to go on later, elsewhere.

Only at places where nothing waits for later lines; a log has such a place every few lines. The
text is JSON of plain values and of the few classes named here: nothing in it is code.
"""

from __future__ import annotations

import enum
import json
from collections import Counter
from typing import Any, Final

from fitlog_parsers.blocks import NodeState
from fitlog_parsers.bulk import BulkReader
from fitlog_parsers.columns import Columns
from fitlog_parsers.dates import Order, Turns
from fitlog_parsers.engine import Engine
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.prefix import Clock
from fitlog_parsers.runs import RunTracker, Stage
from fitlog_parsers.stretches import Window
from fitlog_parsers.times import LineClock

_CLASSES: Final[dict[str, type[Any]]] = {
    one.__name__: one for one in (RunTracker, LineClock, Clock, Turns, Order)
}
# Prefixes that were met, which only save time when they come again.
_NOT_KEPT: Final = frozenset({"_timeless"})


def freeze(reader: BulkReader) -> str | None:
    """What the reader remembers, behind the lines that it has read; None where something waits.

    A piece of a line that it was fed is not in it.
    """
    trackers = [node.tracker for node in reader.nodes.values()]
    if not reader.is_settled or any(tracker.is_waiting for tracker in trackers):
        return None
    state = {
        "lines": reader.lines,
        "has_nul": reader.has_nul,
        "crash_line": reader.scanner.crash_line,
        "dialect_lines": dict(reader.dialect_lines),
        "rule_uses": [[*rule, count] for rule, count in reader.rule_uses.items()],
        "clock": _frozen(reader.clock),
        "nodes": [
            [rank, _frozen(node.tracker), _frozen(node.last_speed)]
            for rank, node in reader.nodes.items()
        ],
    }
    return json.dumps(state)


def thaw(
    text: str, columns: Columns, dialects: tuple[Dialect, ...], engine: Engine | None = None
) -> BulkReader:
    """A reader that goes on behind those lines; `columns` have begun the file.

    Raises:
        ValueError: the text is none of `freeze`.
    """
    try:
        state = json.loads(text)
        reader = BulkReader(columns, dialects, engine)
        reader.lines, reader.has_nul = int(state["lines"]), bool(state["has_nul"])
        reader.scanner.crash_line = int(state["crash_line"])
        reader.dialect_lines.update(Counter(state["dialect_lines"]))
        reader.rule_uses.update({(d, r): int(count) for d, r, count in state["rule_uses"]})
        reader.clock = _thawed(state["clock"])
        for rank, tracker, last_speed in state["nodes"]:
            node = reader.nodes[int(rank)] = NodeState()
            node.tracker, node.last_speed = _thawed(tracker), _thawed(last_speed)
        reader.skip_beginning()
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no state of a reader: {error}") from None
    return reader


def _frozen(value: Any) -> Any:
    if hasattr(value, "item"):  # numpy's numbers
        value = value.item()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Stage):
        return {"stage": value.name}
    if isinstance(value, int) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, Window):
        return {"window": [_frozen(one) for one in value]}
    for kind, name in ((tuple, "tuple"), (list, "list"), (set, "set")):
        if isinstance(value, kind):
            return {name: [_frozen(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[_frozen(key), _frozen(one)] for key, one in value.items()]}
    if type(value).__name__ in _CLASSES:
        kept = {k: _frozen(v) for k, v in vars(value).items() if k not in _NOT_KEPT}
        return {"object": [type(value).__name__, kept]}
    raise TypeError(f"{type(value).__name__} is no part of a state")


def _thawed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = value.items()
    match kind:
        case "stage":
            return Stage[inside]
        case "float":
            return float.fromhex(inside)
        case "window":
            return Window(*map(_thawed, inside))
        case "tuple":
            return tuple(map(_thawed, inside))
        case "list":
            return list(map(_thawed, inside))
        case "set":
            return set(map(_thawed, inside))
        case "dict":
            return {_thawed(key): _thawed(one) for key, one in inside}
        case "object":
            name, attributes = inside
            thing = object.__new__(_CLASSES[name])
            vars(thing).update({key: _thawed(one) for key, one in attributes.items()})
            if name == "Clock":
                vars(thing).update((key, {}) for key in _NOT_KEPT)
            return thing
    raise ValueError(f"{kind} is no part of a state")
