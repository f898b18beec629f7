"""The RAW error report of a failed generation."""

import json
from typing import Any
from uuid import UUID

from core.domain.diagnosis.error_report import build_report
from core.ports.results import FailureStore


def get_report(failures: FailureStore, failure_id: UUID) -> dict[str, Any]:
    """Return the stored file or, before its upload, the same report built now; raise NotFound."""
    material = failures.get(failure_id)
    path = material.failure.raw_file_path
    stored = None if path is None else failures.download(path)
    return build_report(material) if stored is None else dict(json.loads(stored))
