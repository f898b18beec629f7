"""Heat maps as tests read them: their data, and their cells in the page."""

from typing import Any

HEAT_CELL = 'path[aria-roledescription="rect mark"]'
"""Selector of the cells of Vega's heat maps."""


def read_parameter(spec: dict[str, Any], name: str) -> Any:
    """Return a parameter of the specification."""
    return next(each["value"] for each in spec["params"] if each["name"] == name)


def list_cells(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is drawn in each cell."""
    return read_parameter(spec, "cells")
