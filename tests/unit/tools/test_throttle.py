"""Terms of throttles, and what refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.context import CallContext
from interlock.errors import ConfigError
from interlock.tools import Effect, Throttle, Tool, tool
from interlock.tools.queues import MOST_QUEUES, own_queues, queue_of, takes_turns
from interlock.tools.turns import limit_of

ANN = CallContext(agent="a", tenant="acme", subject="s1")


def look(at: str) -> str:
    """Look."""
    return at


def made(**terms: Any) -> Tool:
    """A tool with these terms."""
    return tool(look, effect=Effect.READ, **terms)


@pytest.mark.parametrize(
    ("rate", "per_second", "at_once"),
    [("10/s", 10, 10), ("90/min", 1.5, 1), ("500/h", 500 / 3600, 1), ("2.5/s", 2.5, 2)],
)
def test_a_rate_is_so_many_calls_in_a_time(rate: str, per_second: float, at_once: int) -> None:
    """A burst is what a second allows, at least one call, unless it is given."""
    assert Throttle(rate=rate).per_second == pytest.approx(per_second)
    assert Throttle(rate=rate).at_once == at_once
    assert Throttle(rate=rate, burst=7).at_once == 7


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"rate": "fast"}, "throttle: 'rate': 'fast' is no rate; write '10/s'"),
        ({"rate": "0/s"}, "'0/s' is no rate"),
        ({"rate": "-1/s"}, "'-1/s' is no rate"),
        ({"rate": "10/s\n"}, "is no rate"),
        ({"rate": 10}, "'rate': Input should be a valid string"),
        ({"rate": "1/s", "burst": 0}, "'burst': Input should be greater than or equal to 1"),
        ({"rate": "1/s", "burst": 1.5}, "'burst': Input should be a valid integer"),
        ({"rate": "1/s", "burst": True}, "'burst': Input should be a valid integer"),
        (
            {"rate": "1/s", "scope": "world"},
            "'scope': Input should be 'tool', 'tenant' or 'subject'",
        ),
        ({"rate": "1/s", "per": "s"}, "'per': Extra inputs are not permitted"),
        ({}, "'rate': Field required"),
    ],
)
def test_what_is_no_throttle_is_refused(terms: dict[str, Any], says: str) -> None:
    """The error names the field, what was given and what is allowed."""
    with pytest.raises(ConfigError, match=says):
        Throttle(**terms)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"throttle": "fast"}, "'look'.*'fast' is no rate"),
        ({"throttle": 3}, "'look'.*valid string"),
        ({"concurrency": 0}, "'look'.*'concurrency': Input should be greater than or equal to 1"),
        ({"concurrency": 1.5}, "'concurrency': Input should be a valid integer"),
        ({"concurrency": True}, "'concurrency': Input should be a valid integer"),
        ({"concurrency": 2, "local": True}, "local=True passes by throttle and concurrency"),
    ],
)
def test_a_tool_with_wrong_limits_is_refused(terms: dict[str, Any], says: str) -> None:
    """The error comes when the tool is defined, and names it."""
    with pytest.raises(ConfigError, match=says):
        made(**terms)


@pytest.mark.parametrize(
    ("terms", "is_own"),
    [
        ({"throttle": "10/s"}, True),
        ({}, False),
        ({"concurrency": 2}, False),
        ({"throttle": Throttle(rate="10/s", burst=3)}, False),
        ({"throttle": Throttle(rate="10/s", scope="tenant")}, False),
        ({"throttle": Throttle(rate="10/s", scope="subject")}, False),
        ({"throttle": "10/s", "concurrency": 2}, False),
    ],
)
def test_the_server_keeps_only_what_it_can(terms: dict[str, Any], is_own: bool) -> None:
    """A plain rate of a tool is kept by a queue of its own, anything else by turns."""
    contract = made(**terms).contract
    own = own_queues([contract])
    assert (contract.name in own) is is_own
    assert queue_of(contract, "p-", own) == ("p-tool.look" if is_own else "p-tools")
    assert takes_turns(contract, own) == ("throttle" in terms and not is_own)


def test_with_many_throttled_tools_all_take_turns() -> None:
    """Queues are cheap, not free: there are at most fifty of them."""
    contracts = [
        made(throttle="1/s", name=f"look{number}").contract for number in range(MOST_QUEUES + 1)
    ]
    assert len(own_queues(contracts[1:])) == MOST_QUEUES
    assert own_queues(contracts) == frozenset()
    assert takes_turns(contracts[0], own_queues(contracts))


def test_only_whom_the_scope_names_shares_a_rate() -> None:
    """Keys differ by tenant, or by tenant and subject, and say nothing of either."""

    def key(scope: str, tenant: str, subject: str) -> str:
        contract = made(throttle=Throttle.model_validate({"rate": "1/s", "scope": scope})).contract
        context = ANN.model_copy(update={"tenant": tenant, "subject": subject})
        limit = limit_of(contract, context, by_turns=True)
        assert limit is not None
        return limit.key

    people = [("acme", "s1"), ("acme", "s2"), ("other", "s1")]
    assert [
        len({key(scope, *who) for who in people}) for scope in ("tool", "tenant", "subject")
    ] == [
        1,
        2,
        3,
    ]
    assert key("subject", "acme", "anna").startswith("look/")
    assert "anna" not in key("subject", "acme", "anna")
    assert key("subject", "ab", "c") != key("subject", "a", "bc")


def test_what_the_server_keeps_is_no_turn() -> None:
    """A tool that nothing limits here has no limit; with concurrency alone there is no rate."""
    assert limit_of(made(throttle="1/s").contract, ANN, by_turns=False) is None
    few = limit_of(made(concurrency=3, timeout_seconds=5).contract, ANN, by_turns=False)
    assert few is not None
    assert (few.concurrency, few.per_second, few.lease_seconds) == (3, None, 15.0)
