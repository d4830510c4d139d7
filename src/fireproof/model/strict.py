"""What every model of a file is made of: frozen, strict, and named in one way."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
"""Lower-case words joined by hyphens."""
Text = Annotated[str, StringConstraints(pattern=r"\S")]
"""Something to read."""


class Strict(BaseModel):
    """Frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unsaid(value: object) -> bool:
    """Whether an optional field says nothing.

    Such a field is left out of JSON: a plan that does not use it has the bytes that it had before
    the field existed, and old plans still verify.
    """
    return value is None or value == () or value == {}
