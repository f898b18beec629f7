"""The wheels of the extra `local`, which contain the programs of the one-machine stack."""

from importlib.util import find_spec
from pathlib import Path

from core.errors import StackError


def find_wheel(distribution: str, package: str) -> Path:
    """Return the folder of an installed package, without importing it; raise StackError where it is missing."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        message = f"The package {distribution} is not installed. `pip install -e '.[local]'` installs the one-machine stack."
        raise StackError(message)
    return Path(found.submodule_search_locations[0])
