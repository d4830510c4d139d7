"""What every model read from a file shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
"""Lower-case words joined by hyphens."""
ControlId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+:[A-Za-z0-9.()/_-]+$")]
"""``framework:id``, for example ``nist-800-53:CP-9(1)``."""


class Strict(BaseModel):
    """Frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
