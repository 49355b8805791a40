"""The API's list of its resources."""

from __future__ import annotations


def test_the_api_lists_its_resources_and_every_one_describes_itself(nobody):
    response = nobody.get("")
    assert response.status_code == 200
    for name, addresses in response.json().items():
        assert nobody.get(f"{name}/schema/").status_code == 200, addresses
