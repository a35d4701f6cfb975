"""MXNet.jl: `mx.fit` and its callbacks, behind the `INFO: ` of Julia 0.6 or the `[ Info: ` of 1.x.

A report goes over several lines. `== Epoch 001/020 ==========` is printed at the epoch's end, above
its sums. So the speeds of an epoch stand above its number, and name none.
"""

from __future__ import annotations

from fitlog_parsers.building import event, nothing, report
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Split

_FIT = "julia/src/model.jl, fit"
# A document may quote the line, or set it in.
_INFO = r"[ \t>#]*+(?:INFO|\[[ ]Info):[ ]"
_END = r"[ \t\r]*+$"


def _summed_up(split: Split, example: str) -> Rule:
    """The rule for a metric below a heading; `{1:>18s}` lets the names end in one column."""
    return Rule(
        name=f"{split} metric",
        pattern=compile_pattern(
            rf"""{_INFO}(?=.{{18,100}}?[ ]=)[ ]*+(?P<metric>[^\s=]{{1,100}}+)
            [ ]=[ ](?P<value>{FLOAT}){_END}"""
        ),
        build=report(split=split, scope="epoch"),
        example=example,
        source=_FIT,
    )


_VALIDATION_SUMMARY = Rule(
    name="validation summary",
    pattern=compile_pattern(rf"{_INFO}\#\#[ ]Validation[ ]summary{_END}"),
    build=nothing,
    example="INFO: ## Validation summary",
    source=_FIT,
    opens=(_summed_up("validation", "INFO:           accuracy = 0.7493"),),
)

_TRAINING_SUMMARY = Rule(
    name="training summary",
    pattern=compile_pattern(rf"{_INFO}\#\#[ ]Training[ ]summary{_END}"),
    build=nothing,
    example="INFO: ## Training summary",
    source=_FIT,
    opens=(
        _summed_up("train", "INFO:           accuracy = 0.7554"),
        Rule(
            name="time",
            pattern=compile_pattern(
                rf"{_INFO}[ ]{{14}}time[ ]=[ ](?P<seconds>{FLOAT})[ ]seconds{_END}"
            ),
            build=report(),
            example="INFO:               time = 4.0132 seconds",
            source=_FIT,
        ),
        _VALIDATION_SUMMARY,
    ),
    stays=True,
)

JULIA = Dialect(
    name="julia",
    about="MXNet.jl",
    rules=(
        Rule(
            name="start on devices",
            starts=("INFO: Start training on ", "Info: Start training on "),
            pattern=compile_pattern(
                r"(?:INFO|Info):[ ](?P<text>Start[ ]training[ ]on[ ][^\r]++)\r*+$"
            ),
            build=event("start"),
            example="INFO: Start training on MXNet.mx.Context[CPU0]",
            source=_FIT,
        ),
        Rule(
            name="speed",
            starts=("INFO: Speed: ", "Info: Speed: "),
            pattern=compile_pattern(
                rf"(?:INFO|Info):[ ]Speed:[ ]++(?P<samples_per_sec>{FLOAT})[ ]samples/sec"
            ),
            build=report(),
            example="INFO: Speed: 357.72 samples/sec",
            source="julia/src/callback.jl, speedometer",
        ),
        Rule(
            name="epoch",
            starts=("== Epoch ",),
            ahead=r"[0-9]++(?:/[0-9]++)?+ ==",
            pattern=compile_pattern(rf"==[ ]Epoch[ ](?P<epoch>{INT})(?:/{INT})?+[ ]=++{_END}"),
            build=nothing,
            example="== Epoch 001/020 ==========",
            source=_FIT,
            opens=(_TRAINING_SUMMARY, _VALIDATION_SUMMARY),
            stays=True,
        ),
        Rule(
            name="checkpoint",
            starts=("Saved checkpoint to '",),
            pattern=compile_pattern(r"Saved[ ]checkpoint[ ]to[ ]'[^'\r]++'"),
            build=event("checkpoint"),
            example="Saved checkpoint to 'mlp-0001.params'",
            source="julia/src/model.jl, save_checkpoint",
        ),
    ),
)
