"""What every model of a file is made of: frozen, strict, and named in one way."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
"""Lower-case words joined by hyphens."""
Text = Annotated[str, StringConstraints(pattern=r"\S")]
"""Something to read."""


ControlId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+:[A-Za-z0-9.()/_-]+$")]
"""``framework:id``, for example ``nist-800-53:CP-9(1)``."""
ROWS = 161  # of the readiness checklist; catalog/checklist.yaml names them
Row = Annotated[int, Field(ge=1, le=ROWS)]
"""Number of a checklist row."""


class Strict(BaseModel):
    """Frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unsaid(value: object) -> bool:
    """Whether an optional field says nothing.

    Such a field is left out of JSON: a plan that does not use it has the bytes that it had before
    the field existed, and old plans still verify.
    """
    return value is None or value == () or value == {}
