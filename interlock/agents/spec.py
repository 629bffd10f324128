"""What an agent is: a LangGraph graph with a name, checked when it is registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from langchain_core.messages import BaseMessage
from langgraph.graph.state import CompiledStateGraph, StateGraph
from pydantic import BaseModel, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from interlock.agents.validation import check_graph, tools_of
from interlock.canonical import digest, jsonable
from interlock.codec import encode
from interlock.errors import BadInput, ConfigError, NotSerializable, wrong_fields
from interlock.tools import Tool
from interlock.workflows.inputs import read_messages

Graph = StateGraph[Any, Any, Any, Any] | CompiledStateGraph[Any, Any, Any, Any]


class Agent:
    """A graph under a name, ready to be hosted."""

    def __init__(
        self,
        name: str,
        graph: Graph | Callable[[], Graph],
        *,
        tools: Sequence[Tool] = (),
        description: str = "",
    ) -> None:
        """Compile and check the graph.

        Args:
            name: Name that callers start the agent by.
            graph: A `StateGraph`, a compiled graph such as `create_agent` returns, or a function
                that makes one.
            tools: Tools that nodes call directly. Those of a `ToolNode` are found by themselves.
            description: One line for `interlock doctor` and for people.

        Raises:
            ConfigError: the name or the graph is no such thing.
            UnsupportedInWorkflow: the graph uses what cannot run in a workflow.
        """
        if not name or not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"agent name {name!r} may hold letters, digits, '-' and '_' only.")
        self.name = name
        self.description = description
        self.graph = _compiled(name, graph)
        check_graph(name, self.graph)
        found = {tool.name: tool for tool in (*tools, *tools_of(self.graph))}
        self.tools: tuple[Tool, ...] = tuple(found[key] for key in sorted(found))
        builder = self.graph.builder
        self._input_keys = sorted(builder.schemas[builder.input_schema])
        self._input_model = _input_model(self.graph)

    def release(self, *, policy: str, models: dict[str, Any]) -> str:
        """Return the release: the first 12 hex digits over topology, tools, policy and models."""
        drawn = self.graph.get_graph()
        return digest(
            {
                "agent": self.name,
                "nodes": sorted(drawn.nodes),
                "edges": sorted([e.source, e.target, e.conditional] for e in drawn.edges),
                "tools": [tool.contract.version for tool in self.tools],
                "policy": policy,
                "models": models,
            }
        )[:12]

    def read_input(self, value: str | dict[str, Any]) -> dict[str, Any]:
        """Turn a run's input into the graph's: text is one user message.

        Raises:
            BadInput: a key the graph does not take, or a value of the wrong type.
        """
        allowed = self._input_keys
        if isinstance(value, str):
            value = {"messages": [value]}
        unknown = sorted(set(value) - set(allowed))
        if unknown or not value:
            raise BadInput(
                f"agent {self.name!r} does not take {', '.join(map(repr, unknown)) or 'nothing'}. "
                f"Its input holds: {', '.join(sorted(allowed))}."
            )
        data = dict(value)
        if "messages" in data:
            data["messages"] = read_messages(data["messages"])
        try:
            if self._input_model is not None:
                self._input_model.model_validate(data)
        except ValidationError as error:
            wrong = wrong_fields(error, "input")
            raise BadInput(f"input of agent {self.name!r}: {wrong}.") from error
        return data

    def write_output(self, values: Any) -> dict[str, Any]:
        """Turn the final state into plain JSON, without lists of messages."""
        items = values if isinstance(values, dict) else dict(values)
        return {
            str(key): _plain(item)
            for key, item in items.items()
            if not _is_messages(item) and not str(key).startswith("__")
        }


def agent(
    name: str,
    graph: Graph | Callable[[], Graph],
    *,
    tools: Sequence[Tool] = (),
    description: str = "",
) -> Agent:
    """Make an agent of a graph; name it in `interlock.toml` to host it. See `Agent`."""
    return Agent(name, graph, tools=tools, description=description)


def _compiled(name: str, graph: object) -> CompiledStateGraph[Any, Any, Any, Any]:
    made = graph() if callable(graph) and not isinstance(graph, CompiledStateGraph) else graph
    if isinstance(made, StateGraph):
        return made.compile(name=name)
    if isinstance(made, CompiledStateGraph):
        return made
    raise ConfigError(
        f"agent {name!r}: {type(made).__name__} is no graph. Give a StateGraph, what create_agent "
        "returns, or a function that returns one."
    )


def _input_model(graph: CompiledStateGraph[Any, Any, Any, Any]) -> type[BaseModel] | None:
    """Return a model of the input in which no field is required, as in LangGraph.

    None for a state that pydantic cannot check: on Python 3.11 that is a `typing.TypedDict`; a
    `typing_extensions.TypedDict` can be checked.
    """
    try:
        schema = graph.get_input_schema()
        fields: dict[str, Any] = {
            name: (field.annotation, None) for name, field in _state_fields(schema)
        }
        model = create_model("Input", **fields)
        model.model_json_schema()
    except PydanticUserError:
        return None
    return model


def _state_fields(schema: type[BaseModel]) -> list[tuple[str, Any]]:
    root = schema.model_fields.get("root")
    if root is None:
        return list(schema.model_fields.items())
    hints = get_type_hints(root.annotation, include_extras=True)
    return [(name, FieldInfo.from_annotation(hint)) for name, hint in hints.items()]


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, BaseMessage) for item in value)


def _plain(value: Any) -> Any:
    try:
        return jsonable(value)
    except NotSerializable:
        return encode(value)
