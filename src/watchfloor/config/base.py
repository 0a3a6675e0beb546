"""The base of every settings model: strict, closed to unknown keys, described field by field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings that a person writes. Unknown keys are mistakes; values never change after validation."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,  # a reference may resolve to "nan"
    )
