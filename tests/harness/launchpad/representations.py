"""The JSON of what the web service shows, with the fields that its description names."""

from __future__ import annotations

from typing import Any

from tests.harness.launchpad.model import Build, Launchpad, Ppa, Publication

Json = dict[str, Any]


class Representations:
    """Makes entries whose links begin with `root`; `files` is where files are downloaded from."""

    def __init__(self, launchpad: Launchpad, root: str, files: str) -> None:
        self._launchpad = launchpad
        self._root = root
        self._files = files

    def service(self) -> Json:
        """The root."""
        return {"resource_type_link": f"{self._root}#service-root", "me_link": f"{self._root}people/+me"}

    def person(self, name: str, *, team: bool) -> Json:
        """A person or team."""
        link = f"{self._root}~{name}"
        return self._entry("team" if team else "person", link, name=name, ppas_collection_link=f"{link}/ppas")

    def archive(self, ppa: Ppa) -> Json:
        """A PPA."""
        owner = f"{self._root}~{ppa.owner}"
        return self._entry(
            "archive", self.archive_link(ppa), name=ppa.name, owner_link=owner, private=False,
            reference=f"~{ppa.owner}/ubuntu/{ppa.name}", distribution_link=f"{self._root}ubuntu",
        )  # fmt: skip

    def source(self, ppa: Ppa, publication: Publication) -> Json:
        """A publication record of a source."""
        return self._publication(
            "source_package_publishing_history",
            f"{self.archive_link(ppa)}/+sourcepub/{publication.id}",
            publication,
        ) | {
            "source_package_name": publication.name,
            "source_package_version": publication.version,
            "distro_series_link": self._series,
        }

    def binary(self, ppa: Ppa, publication: Publication) -> Json:
        """A publication record of a binary package."""
        build = publication.build
        assert build is not None
        origin = next(p for p in self._launchpad.ppas.values() if any(build in s.builds for s in p.sources))
        return self._publication(
            "binary_package_publishing_history",
            f"{self.archive_link(ppa)}/+binarypub/{publication.id}",
            publication,
        ) | {
            "binary_package_name": publication.name,
            "binary_package_version": publication.version,
            "source_package_name": build.source,
            "source_package_version": build.version,
            "distro_arch_series_link": f"{self._series}/{publication.architecture}",
            "build_link": f"{self.archive_link(origin)}/+build/{build.id}",
        }

    def build(self, ppa: Ppa, build: Build) -> Json:
        """A build record."""
        link = f"{self.archive_link(ppa)}/+build/{build.id}"
        return self._entry(
            "build", link, arch_tag=build.architecture, buildstate=build.state,
            source_package_name=build.source, source_package_version=build.version,
            dependencies=build.dependencies, title=f"{build.architecture} build of {build.source}",
            build_log_url=f"{self._files}log/{build.id}/buildlog.txt.gz" if build.log else None,
            can_be_cancelled=build.state in ("Needs building", "Currently building"),
            can_be_retried=build.state in ("Failed to build", "Dependency wait", "Cancelled build"),
        )  # fmt: skip

    def file_urls(self, publication: Publication) -> list[str]:
        """Where the files of a source are."""
        return [f"{self._files}source/{publication.id}/{path.name}" for path in publication.files]

    def archive_link(self, ppa: Ppa) -> str:
        return f"{self._root}~{ppa.owner}/+archive/ubuntu/{ppa.name}"

    def _publication(self, kind: str, link: str, publication: Publication) -> Json:
        removed = publication.removed_at and publication.removed_at.isoformat()
        created = publication.created_at.isoformat()
        status = publication.status
        return self._entry(
            kind, link, status=status, date_created=created, date_removed=removed, pocket="Release"
        )

    def _entry(self, kind: str, link: str, **fields: object) -> Json:
        return {"self_link": link, "resource_type_link": f"{self._root}#{kind}", "http_etag": '"0"', **fields}

    @property
    def _series(self) -> str:
        return f"{self._root}ubuntu/{self._launchpad.series}"
