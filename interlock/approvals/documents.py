"""YAML files whose mistakes are told with file, line and column."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from interlock.errors import ConfigError

Loc = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

_SHOWN = 60
_FORMS = dict.fromkeys(("model_type", "dict_type"), "has to be keys with values") | dict.fromkeys(
    ("tuple_type", "list_type"), "has to be a list"
)
"""What pydantic says in the words of Python, in those of YAML."""


class Place(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


class Mistake(NamedTuple):
    """Something wrong in a file, with what is allowed and what to do."""

    place: Place
    message: str


class Document:
    """One YAML file: its data, and where each part of it is."""

    def __init__(self, text: str, name: str) -> None:
        """Read the text of a file.

        Raises:
            ConfigError: it is no YAML, or has a key twice.
        """
        self.name = name
        self.lines = text.splitlines()
        self.nodes: dict[Loc, yaml.Node] = {}
        self._keys: dict[Loc, yaml.Node] = {}
        self._mistakes: list[Mistake] = []
        self.data = self._loaded(text)
        self.refuse(self._mistakes)

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file.

        Raises:
            ConfigError: there is no such file, or it is no YAML in UTF-8.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError(f"{path}: cannot be read: {why}.", file=str(path)) from error
        return cls(text, path.name)

    def place(self, loc: Loc) -> Place:
        """Return where a part of the data is, or the nearest part around it."""
        while loc and loc not in self.nodes:
            loc = loc[:-1]
        return _start(self.nodes[loc]) if loc in self.nodes else Place(1, 1)

    def refuse(self, mistakes: Iterable[Mistake]) -> None:
        """Raise one error that names all mistakes in the order of the file, if there are any.

        Raises:
            ConfigError: there are some (details: `file`, `mistakes`).
        """
        found = sorted(set(mistakes))
        if found:
            raise ConfigError(
                "\n".join(f"{self.name}:{at.line}:{at.column}: {text}" for at, text in found),
                file=self.name,
                mistakes=[{**at._asdict(), "message": text} for at, text in found],
            )

    def read_as(self, model: type[M]) -> M:
        """Return the data as a model.

        Raises:
            ConfigError: it does not fit.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            self.refuse(self._mistake(item, model) for item in error.errors())
            raise

    def _mistake(self, item: Any, model: type[BaseModel]) -> Mistake:
        # pydantic names a key of a dict by '[key]' behind it; no key of ours is called that.
        loc = tuple(part for part in item["loc"] if part != "[key]")
        name = next((part for part in reversed(loc) if part and isinstance(part, str)), self.name)
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, loc[:-1])
            return Mistake(self._key(loc), f"{name!r} is not known here. {allowed(name, known)}")
        if item["type"] == "missing":
            return Mistake(self.place(loc[:-1]), f"{name!r} is missing here. Add it.")
        message = _FORMS.get(item["type"], item["msg"]).removeprefix("Value error, ").rstrip(".")
        given = "" if item["type"] == "value_error" else f" (it is {_short(item['input'])})"
        return Mistake(self.place(loc), f"{name!r}: {message}{given}.")

    def _key(self, loc: Loc) -> Place:
        return _start(self._keys[loc]) if loc in self._keys else self.place(loc)

    def _loaded(self, text: str) -> Any:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise ConfigError(f"{self.name}: is empty. See docs/policy.md for an example.")
            return self._value(loader, node, (), ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
            self.refuse([Mistake(place, f"this is no YAML: {error.problem}.")])
            raise
        except yaml.YAMLError as error:
            raise ConfigError(f"{self.name}: is no YAML: {error}.", file=self.name) from error
        finally:
            loader.dispose()

    def _value(
        self, loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, inside: tuple[int, ...]
    ) -> Any:
        if id(node) in inside:
            self.refuse([Mistake(_start(node), "this holds itself. Write it out.")])
        self.nodes[loc] = node
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_object(node)
        deeper = (*inside, id(node))
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self._value(loader, item, (*loc, index), deeper) for index, item in items]
        return dict(self._pairs(loader, node, loc, deeper))

    def _pairs(
        self, loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, inside: tuple[int, ...]
    ) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            name, place = str(key.value), (*loc, str(key.value))
            if place in self._keys:
                first = _start(self._keys[place]).line
                message = f"{name!r} is here twice, first in line {first}. Remove one."
                self._mistakes.append(Mistake(_start(key), message))
            self._keys[place] = key
            yield name, self._value(loader, value, place, inside)


def allowed(name: object, known: Iterable[str]) -> str:
    """Say what is allowed, and which of it is nearest to a name."""
    found = sorted(known)
    near = difflib.get_close_matches(str(name), found, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"Allowed: {', '.join(found) or 'nothing'}.{meant}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _start(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    kind: Any = model
    for part in loc:
        kind = _model_in(kind)
        field = kind.model_fields.get(part) if kind is not None else None
        if field is not None:
            kind = field.annotation
    found = _model_in(kind)
    return list(found.model_fields) if found is not None else []


def _model_in(kind: Any) -> type[BaseModel] | None:
    """Return the one model that an annotation is about."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (tuple, list, dict, Annotated, Union, types.UnionType):
        return next((found for item in get_args(kind) if (found := _model_in(item))), None)
    return None
