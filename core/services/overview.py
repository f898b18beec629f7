"""Totals of all batches."""

from dataclasses import dataclass

from core.domain.overview import Overview
from core.ports import OverviewStore


@dataclass(frozen=True, kw_only=True)
class OverviewService:
    """Reads the totals."""

    store: OverviewStore

    def read(self) -> Overview:
        """Return the totals of everything that the analyst made."""
        return self.store.read()
