"""The base of all records."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen, keyword-only value; unknown fields of a database row are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
