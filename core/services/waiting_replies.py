"""What waits on this host's disk, told to the database, where it outlives the host."""

from dataclasses import dataclass

from core.ports.work import HouseKeeping, Spool


@dataclass(kw_only=True)
class WaitingRepliesService:
    """Tells in each round while something waits, and once when nothing does any more."""

    spool: Spool
    house: HouseKeeping
    host: str
    _is_nothing_told: bool = False

    def tell(self) -> None:
        """Note what waits; raises OSError if the folder cannot be read, or its id not be written."""
        files, oldest_seconds = self.spool.measure_waiting()
        if files or not self._is_nothing_told:
            self._is_nothing_told = False
            self.house.note_spool(self.spool.identify(), self.host, files, oldest_seconds)
            self._is_nothing_told = not files
