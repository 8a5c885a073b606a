"""Objects from configs and configs from objects, behind an allow-list of names."""

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Components alone: elsewhere in the packages lie functions that write files, and a config may come from anyone.
ALLOWED = (
    "operators.",
    "pdes.generators.",
    "data.synthetic.",
    "data.pictures.",
    "training.losses.",
    "training.optim.",
    "optax.",
)
_MARKS = ("_target_", "_partial_", "_convert_")


class TargetError(ValueError):
    """A config names something that may not, or cannot, be built."""


def instantiate(cfg: Any, *args: Any, allow: Sequence[str] = (), where: str = "config", **kwargs: Any) -> Any:
    """Builds the object that a config describes, and those nested in it.

    A mapping with `_target_` becomes `target(*args, **rest)`, or with `_partial_: true` the partial of it. Lists
    become tuples, so that what is built can be hashed. Every name in the config is checked before anything is
    built: it must start with an allowed prefix and lead to a class or function that is defined under one.

    Args:
        cfg: plain mappings, sequences and scalars (a resolved config).
        *args: further positional arguments of the outermost target.
        allow: prefixes beyond `ALLOWED`, such as "mypackage.".
        where: name of the config in errors.
        **kwargs: further arguments of the outermost target; they override the config's.

    Raises:
        TargetError: for a name outside the allow-list, a name that does not exist, arguments the target does not take
            or refuses.
    """
    targets = _resolve(cfg, _prefixes(allow), where)
    return _build(cfg, targets, args, kwargs)


def find(name: Any, allow: Sequence[str] = (), where: str = "config") -> Callable:
    """The class or function that a `_target_` names, not called.

    Args:
        name: value of `_target_`.
        allow: prefixes beyond `ALLOWED`.
        where: name of the config in errors.

    Raises:
        TargetError: for a name outside the allow-list, or one that does not exist.
    """
    return _find(name, _prefixes(allow), f"{where}._target_")


def describe(obj: Any) -> Any:
    """The config of an object made of dataclasses, sequences and scalars: `instantiate(describe(obj)) == obj`."""
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        cls = type(obj)
        fields = [field.name for field in dataclasses.fields(obj) if field.init]
        arguments = {name: describe(getattr(obj, name)) for name in fields}
        return {"_target_": f"{cls.__module__}.{cls.__qualname__}", **arguments}
    if isinstance(obj, Mapping):
        return {str(name): describe(value) for name, value in obj.items()}
    if isinstance(obj, (tuple, list)):
        return [describe(value) for value in obj]
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    raise TargetError(f"got {obj!r}, wanted plain numbers, text, sequences or dataclasses of them: its provenance")


def _prefixes(allow: Sequence[str]) -> tuple[str, ...]:
    # Of a text each letter would be a prefix, and an empty prefix allows everything.
    if not isinstance(allow, (list, tuple)) or not all(isinstance(prefix, str) and prefix for prefix in allow):
        raise TargetError(f"allow: got {allow!r}, wanted a list of prefixes, such as [mypackage.]")
    return (*ALLOWED, *allow)


def _resolve(node: Any, allowed: tuple[str, ...], where: str) -> dict[str, Callable]:
    """Every target below a node, by name; nothing is built."""
    if isinstance(node, Mapping):
        found = {}
        if "_target_" in node:
            unknown = [name for name in node if str(name).startswith("_") and name not in _MARKS]
            if unknown:
                raise TargetError(f"{where}: got {unknown}, wanted argument names and {_MARKS}; remove them")
            found[node["_target_"]] = _find(node["_target_"], allowed, f"{where}._target_")
        for name, value in node.items():
            found |= _resolve(value, allowed, f"{where}.{name}")
        return found
    if isinstance(node, (list, tuple)):
        pairs = [_resolve(value, allowed, f"{where}[{i}]") for i, value in enumerate(node)]
        return functools.reduce(dict.__or__, pairs, {})
    return {}


def _find(name: Any, allowed: tuple[str, ...], where: str) -> Callable:
    refusal = TargetError(
        f"{where}: got {name!r}, wanted a class or function that is defined under one of {' '.join(allowed)}; "
        "declare your own package with its prefix in `allow`, such as allow=[mypackage.]"
    )
    if not isinstance(name, str) or not name.startswith(allowed):
        raise refusal
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:cut])
        try:
            found = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # Only the absence of this very module means "try it as an attribute".
            if error.name and (module_name + ".").startswith(error.name + "."):
                continue
            raise
        break
    else:
        raise TargetError(f"{where}: got {name!r}, wanted a name that exists; no module {parts[0]!r}")
    for part in parts[cut:]:
        if not hasattr(found, part):
            raise TargetError(f"{where}: got {name!r}, wanted a name that exists; {module_name!r} has no {part!r}")
        found = getattr(found, part)
        # An allowed module may import others (`data.schema.h5py`): what leads out of the allowed packages is refused.
        if inspect.ismodule(found) or not f"{getattr(found, '__module__', '')}.".startswith(allowed):
            raise refusal
    if not callable(found):
        raise refusal
    return found


def _build(node: Any, targets: dict[str, Callable], args: tuple, kwargs: Mapping[str, Any]) -> Any:
    if isinstance(node, Mapping):
        values = {str(k): _build(v, targets, (), {}) for k, v in node.items() if k not in _MARKS}
        if "_target_" not in node:
            return values
        return _call(node["_target_"], targets, args, {**values, **kwargs}, bool(node.get("_partial_", False)))
    if isinstance(node, (list, tuple)):
        return tuple(_build(value, targets, (), {}) for value in node)
    return node


def _call(name: str, targets: dict[str, Callable], args: tuple, kwargs: dict[str, Any], partial: bool) -> Any:
    target = targets[name]
    try:
        signature = inspect.signature(target)
    except ValueError:  # a builtin without a signature: let the call itself complain
        signature = None
    if signature is not None:
        try:
            (signature.bind_partial if partial else signature.bind)(*args, **kwargs)
        except TypeError as error:
            raise TargetError(
                f"{name}: got arguments {sorted(kwargs)}: {error}; wanted those of {name.rpartition('.')[2]}{signature}"
            ) from error
    if partial:
        return functools.partial(target, *args, **kwargs)
    try:
        return target(*args, **kwargs)
    except TypeError as error:
        raise TargetError(f"{name}: got {kwargs}: {error}; wanted values of the types in {signature}") from error
    except ValueError as error:
        raise TargetError(f"{name}: {error}") from error
