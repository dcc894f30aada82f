"""PyNN's connectors, which with numpy 2 fail for two populations of one cell each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pyNN import connectors


class _OneCell:
    """Sees to it that the connections of a cell are always an array."""

    def _standard_connect(
        self, projection: Any, connection_map_generator: Callable, distance_map: Any = None
    ) -> None:
        def generator(*mask: Any) -> Iterator[Any]:
            for column in connection_map_generator(*mask):
                yield column if column is True else np.atleast_1d(column)

        super()._standard_connect(projection, generator, distance_map)  # type: ignore[misc]


def connector_classes() -> dict[str, type]:
    """PyNN's connectors by name."""
    found: dict[str, type] = {}
    for name, kind in vars(connectors).items():
        if isinstance(kind, type) and issubclass(kind, connectors.Connector):
            mapped = issubclass(kind, connectors.MapConnector)
            documented = {"__doc__": kind.__doc__}
            found[name] = type(name, (_OneCell, kind), documented) if mapped else kind
    return found
