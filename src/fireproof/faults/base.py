"""What the faults share: parameters loaded late, permission, and reading an undo back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal, UndoError

if TYPE_CHECKING:
    from fireproof.model.drill import FaultParams
    from fireproof.model.environment import Component, Control
    from fireproof.model.ports import StepContext

Undo = dict[str, Any]


class LateParams:
    """Gives a fault its ``params`` when first asked, because pydantic takes 80 ms to load."""

    params: type[FaultParams]

    def __getattr__(self, name: str) -> Any:
        if name != "params":
            raise AttributeError(name)
        from fireproof.faults import params

        return getattr(params, f"{type(self).__name__}Params")


def allowed_component(kind: str, name: str, context: StepContext) -> Component:
    """The component, if this fault is allowed on it.

    Raises:
        EnvironmentRefusal: when it is not; nothing was touched.
    """
    component = context.environment.component(name)
    place = context.environment.environment
    if kind not in component.faults:
        allowed = ", ".join(component.faults) or "none"
        raise EnvironmentRefusal(
            f"environment {place!r} does not allow {kind!r} on {name!r}; it allows {allowed}"
        )
    return component


def allowed_control(kind: str, name: str, context: StepContext) -> Control:
    """How the component is stopped and started; raises as ``allowed_component`` does, and when
    there is no way to undo.
    """
    component = allowed_component(kind, name, context)
    place = context.environment.environment
    if component.control is None:
        raise EnvironmentRefusal(
            f"environment {place!r} gives no `control` for {name!r}, so {kind!r} has no undo"
        )
    return component.control


def begin_undo(kind: str, name: str, params: FaultParams, context: StepContext) -> Undo:
    """The part of an undo that every fault has; paths absolute, because years may pass."""
    control = allowed_control(kind, name, context)
    return {
        "kind": kind,
        "component": name,
        "run": context.run,
        "project": str(context.project.absolute()),  # relative commands start from here
        "stop": list(control.stop),
        "start": list(control.start),
        "pid_file": str(context.project.absolute() / control.pid_file),
        "expires_ns": params.expires,
    }


def recorded(undo: Undo, key: str) -> str:
    """A text of the undo.

    Raises:
        UndoError: when it is not there, so that nothing is done by halves.
    """
    value = undo.get(key)
    if not isinstance(value, str) or not value:
        raise UndoError(f"the recorded undo has no {key!r}; it cannot be carried out")
    return value


def recorded_argv(undo: Undo, key: str) -> list[str]:
    """A command of the undo, under the same terms as ``recorded``."""
    value = undo.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(a, str) for a in value):
        raise UndoError(f"the recorded undo has no command {key!r}; it cannot be carried out")
    return list(value)
