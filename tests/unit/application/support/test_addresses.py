"""Addresses in a customer's words."""

from __future__ import annotations

import pytest

from agents.support.addresses import Address, address_in, fits_country, is_said


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Please deliver it to Kirchweg 3, 50858 Köln. Thanks", "Kirchweg 3|50858|Köln"),
        ("should be 12 Mill Lane, T12 XY45 Cork", "12 Mill Lane|T12 XY45|Cork"),
        ("use 8 rue des Carmes, 35000 Rennes, instead", "8 rue des Carmes|35000|Rennes"),
        ("to Via San Felice 18, 40122 Bologna.", "Via San Felice 18|40122|Bologna"),
        ("to 40 High Street, CB2 1LA Cambridge", "40 High Street|CB2 1LA|Cambridge"),
        ("is: 3 Rathgar Avenue, D06 F2K8, Dublin", "3 Rathgar Avenue|D06 F2K8|Dublin"),
        ("straight to Rua Nova 8, 4000-010 Porto!", "Rua Nova 8|4000-010|Porto"),
        ("not Weg 1, 2000 Wien, but Gasse 2, 8010 Graz", "Gasse 2|8010|Graz"),
        ("Ship A-1056 to Storgatan 19, 411 24 Göteborg", "Storgatan 19|411 24|Göteborg"),
    ],
)
def test_a_complete_address_is_taken_apart(text: str, address: str) -> None:
    """Street with number, postal code and town, as the shop's countries write them."""
    assert address_in(text) == Address(*address.split("|"))


@pytest.mark.parametrize(
    "text",
    [
        "we have moved, please send it elsewhere",
        "please send it to Cork",
        "my order A-1056 of 2026 in Graz",
        "it should be 48 and not 84",
        "Kirchweg, 50858 Köln",
    ],
)
def test_an_incomplete_address_is_none(text: str) -> None:
    """A part that is missing is not made up."""
    assert address_in(text) is None


def test_an_address_counts_only_as_it_was_written() -> None:
    """Each part must be in the text, and the street must be nothing but the street."""
    text = "Please deliver it to Kirchweg 3, 50858 Köln"
    assert is_said(Address("Kirchweg 3", "50858", "köln"), text)
    assert not is_said(Address("Kirchweg 4", "50858", "Köln"), text)
    assert not is_said(Address("Please deliver it to Kirchweg 3", "50858", "Köln"), text)
    assert not is_said(Address("Kirchweg 3", "50858", ""), text)
    assert not is_said(Address("", "", ""), text)


@pytest.mark.parametrize(
    ("code", "country", "fits"),
    [
        ("35000", "GB", False),
        ("CB2 1LA", "GB", True),
        ("8010", "AT", True),
        ("80100", "AT", False),
        ("T12 XY45", "IE", True),
        ("anything", "US", True),
    ],
)
def test_a_postal_code_tells_the_country(code: str, country: str, *, fits: bool) -> None:
    """A form that the country does not have is refused; an unknown country is not judged."""
    assert fits_country(code, country) is fits
