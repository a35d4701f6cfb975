"""Arrow tables as pandas has them, with what Arrow alone would turn into something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fitlog.errors import QueryError

if TYPE_CHECKING:
    import pandas as pd


def frame_of(table: Any) -> pd.DataFrame:
    """The table as a DataFrame.

    Integers are Int64, and stay integers where one is missing; maps are dicts; what SQL computed as
    a decimal is a number.

    Raises:
        QueryError: it holds what pandas does not have.
    """
    import pandas as pd

    nullable = {
        pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(), pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype(),
    }  # fmt: skip
    columns = [_without_decimals(column) for column in table.columns]
    try:
        frame: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas(
            types_mapper=nullable.get, maps_as_pydicts="lossy"
        )
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise QueryError(f"pandas has no such values ({error}): ask for column::VARCHAR") from None
    return frame


def _without_decimals(column: Any) -> Any:
    """Decimals, such as the sum of integers, as integers where they are, else as floats."""
    if not pa.types.is_decimal(column.type):
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.float64())
