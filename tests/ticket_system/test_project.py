"""Project data: the binary packages that are monitored and tested."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ticket_system.models import BinaryPackage, SourcePackage

DATA = [
    {"binary": "hello", "source": "hello", "version": "2.10-3"},
    {"binary": "libc6", "source": "glibc", "version": "2.36-9"},
    {"binary": "libc-bin", "source": "glibc", "version": "2.36-9"},
]


def test_a_list_of_packages_is_loaded(operator, nobody):
    response = operator.post("projectdata/", DATA)
    assert (response.status_code, response.json()) == (200, {"source_packages": 2, "binary_packages": 3})
    packages = nobody.get("binarypackage/").json()["objects"]
    assert [(p["name"], p["source"], p["version"], p["seeded"]) for p in packages] == [
        ("hello", "hello", "2.10-3", True),
        ("libc-bin", "glibc", "2.36-9", True),
        ("libc6", "glibc", "2.36-9", True),
    ]
    assert [p["name"] for p in nobody.get("sourcepackage/").json()["objects"]] == ["glibc", "hello"]


def test_loading_again_updates_what_has_changed(operator):
    operator.post("projectdata/", DATA)
    assert (
        operator.post("projectdata/", [DATA[1] | {"source": "glibc-new", "version": "3"}]).status_code == 200
    )
    assert BinaryPackage.objects.count() == 3
    libc = BinaryPackage.objects.select_related("sourcepackage").get(name="libc6")
    assert (libc.sourcepackage.name, libc.version) == ("glibc-new", "3")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "the body"),
        ([1], "0"),
        ([{"binary": "hello", "source": "hello"}], "version"),
        ([DATA[0] | {"version": "x y"}], "hello: 'x y' is not a Debian version"),
        ([DATA[0], DATA[0]], "hello twice"),
        ([DATA[0], DATA[1] | {"binary": "../x"}], "1.binary"),
    ],
)
def test_one_wrong_entry_refuses_all(operator, data, named):
    response = operator.post("projectdata/", data)
    assert response.status_code == 400
    assert named in response.json()["error"]
    assert not BinaryPackage.objects.exists()
    assert not SourcePackage.objects.exists()


@pytest.mark.parametrize(("client", "status"), [("nobody", 401), ("submitter", 403)])
def test_project_data_is_loaded_by_operators(request, client, status):
    assert request.getfixturevalue(client).post("projectdata/", DATA).status_code == status


def test_the_command_loads_a_file(db, tmp_path):
    (tmp_path / "packages.json").write_text(json.dumps(DATA))
    out = StringIO()
    call_command("project", "load", str(tmp_path / "packages.json"), stdout=out)
    assert out.getvalue() == "loaded 3 binary packages of 2 source packages\n"


def test_the_command_names_the_file_that_is_wrong(db, tmp_path):
    (tmp_path / "packages.json").write_text("{")
    for name, sentence in (("packages.json", "not valid JSON"), ("none.json", "cannot be read")):
        with pytest.raises(CommandError, match=name) as caught:
            call_command("project", "load", str(tmp_path / name))
        assert sentence in str(caught.value)
