"""Personal data and secrets are found by their form; what only looks alike stays."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.inbox.masking import has_masks, masked, masked_text

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to ann.b+x@mail.example, please", "write to ⟦e-mail …@mail.example⟧, please"),
        ("pay DE89 3704 0044 0532 0130 00 now", "pay ⟦IBAN …3000⟧ now"),
        ("BE68539007547034 from Anna", "⟦IBAN …7034⟧ from Anna"),
        ("gb82west12345698765432", "⟦IBAN …5432⟧"),
        ("card 4111 1111 1111 1111.", "card ⟦card …1111⟧."),
        ("2050 4111 1111 1111 1111 123", "2050 ⟦card …1111⟧ 123"),
        ("3782-822463-10005", "⟦card …0005⟧"),
        ("call +49 (170) 471-1234 or 0170 4711234", "call ⟦phone …34⟧ or ⟦phone …34⟧"),
        (f"key {KEY}!", "key ⟦secret⟧!"),
        ("sk-abcdefghijklmnop1234 AKIAIOSFODNN7EXAMPLE", "⟦secret⟧ ⟦secret⟧"),
        ("Bearer eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", "Bearer ⟦secret⟧"),
        ("postgresql://ann:hunter2@db.example/x", "postgresql://⟦secret⟧@db.example/x"),
    ],
)
def test_what_is_personal_or_secret_is_masked(text: str, shown: str) -> None:
    """What is left tells one from another; masking again changes nothing."""
    assert masked_text(text) == shown
    assert masked_text(shown) == shown
    assert has_masks({"a": [text.replace("x", "y"), shown]})


@pytest.mark.parametrize(
    "text",
    [
        "order HL-10377 of 2026-03-02 12:00, 120.50 EUR",
        "card 4111 1111 1111 1112",  # its check digit is wrong
        "GB82 WEST 1234 5698 7654 33",
        "9be2" * 16,
        "call_4f1c:9be2a1b2c3d4",
        "@tool(effect=READ) a@b 1,000,000 v1.2.3",
        "skeleton-key of an ordinary sentence",
        "",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    """Orders, dates, digests, and numbers whose check digits are wrong."""
    assert masked_text(text) == text
    assert not has_masks(text)


def test_data_is_masked_to_its_depths() -> None:
    """By name, too; numbers and keys of objects stay what they are unless they are personal."""
    data: dict[str, Any] = {
        "to": ["ann@mail.example", 7],
        "login": {"api_key": "hunter2", "password": "", "tokens": 12},
        "card": 4111111111111111,
        "sure": True,
        "rate": 1.5,
        "reviewer": "ada@shop.example",
    }
    assert masked(data) == {
        "to": ["⟦e-mail …@mail.example⟧", 7],
        "login": {"api_key": "⟦secret⟧", "password": "", "tokens": 12},
        "card": "⟦card …1111⟧",
        "sure": True,
        "rate": 1.5,
        "reviewer": "ada@shop.example",  # who decides is no secret
    }


@pytest.mark.parametrize(
    "name",
    ["password", "access_token_value", "accessToken", "pin", "userPin", "x-api-key", "APIKey"],
)
@pytest.mark.parametrize("value", ["abc", 4711, 1.5, {"value": "abc"}, ["abc"]])
def test_what_a_name_calls_secret_is_masked(name: str, value: Any) -> None:
    """Whatever it is, and in whatever it stands."""
    assert masked({"a": [{name: value}]}) == {"a": [{name: "⟦secret⟧"}]}


@pytest.mark.parametrize("name", ["shipping", "opinion", "secretary", "keys", "address"])
def test_other_names_call_nothing_secret(name: str) -> None:
    """They only have such a word within another one."""
    assert masked({name: "abc"}) == {name: "abc"}


@pytest.mark.parametrize("name", ["secrets", "old_passwords", "apiKeys", "tokens", "pins"])
def test_several_secrets_are_masked_and_their_number_is_not(name: str) -> None:
    """Each text of a list or an object with such a name; a number is a count."""
    assert masked({name: 12, "max": {name: 1.5}}) == {name: 12, "max": {name: 1.5}}
    for value in ("abc", ["abc", ["def"]], {"shop": "abc", "old": {"shop": ["abc"]}}):
        assert _texts(masked({name: value})) == {"⟦secret⟧"}


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    parts = value.values() if isinstance(value, dict) else value
    return set().union(*map(_texts, parts))


@settings(max_examples=30)
@given(st.text(), st.emails(), st.text())
def test_no_address_survives(before: str, address: str, after: str) -> None:
    """Whatever stands around it."""
    local = address.rpartition("@")[0]
    plain = all(char.isalnum() or char in "._+-" for char in local)
    found = masked_text(f"{before} {address} {after}")
    assert not plain or f" {address} " not in found


@pytest.mark.parametrize(
    "text",
    ["a", "1 ", "-eyJ", "eyJaaaaaaaa.", "A1", "DE89 ", "0170 4", "+4", "://a:", "sk-", "a@a."],
)
def test_nobody_makes_the_search_long(text: str) -> None:
    """A page shows what others wrote, however they wrote it."""
    began = time.process_time()
    masked_text(text * (20_000 // len(text)))
    assert time.process_time() - began < 2
