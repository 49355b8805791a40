"""Packaging metadata of the Ubuntu CI Engine (tool settings are in pyproject.toml)."""

from setuptools import find_packages, setup

setup(
    name="uci-engine",
    version="0.1.0",
    description="A landing engine for Debian-based distributions",
    python_requires=">=3.11",
    packages=find_packages(exclude=["benchmarks", "demo", "tests", "tests.*", "charms*", "juju-deployer*"]),
    include_package_data=True,
    package_data={"web_ui": ["static/*", "templates/*.html", "templates/web_ui/*.html"]},
    install_requires=[
        "Authlib>=1.6",
        "Django>=5.2,<5.3",
        "django-tastypie>=0.15.1",
        "dj-database-url>=3",
        "jsonschema>=4.20",
        "junitxml>=0.7",
        "kombu>=5.5",
        "python-debian>=1",
        "python-subunit>=1.4.4",
        "requests>=2.32",
        "rich>=13",
        "shtab>=1.13",
        "testtools>=2.7",
        "waitress>=3",
    ],
    extras_require={
        "distributed": [
            "gunicorn>=23",
            "keystoneauth1>=5.6",
            "launchpadlib>=2",
            "psycopg2-binary>=2.9.10",
            "python-glanceclient>=4.6",
            "python-novaclient>=18.6",
            "python-swiftclient>=4.6",
        ],
        "test": [
            "aiosmtpd",
            "hypothesis",
            "openapi-spec-validator",
            "pytest",
            "pytest-django",
            "pytest-timeout",
            "pytest-xdist",
            "schemathesis",
            "selenium",
        ],
        "check": ["django-stubs", "import-linter", "mypy", "ruff", "types-jsonschema", "types-requests"],
        "fuzz": ["atheris>=3"],
        "docs": ["furo", "myst-parser", "sphinx"],
    },
    data_files=[("share/man/man1", ["docs/man/ubuntu-ci.1"])],
    entry_points={
        "console_scripts": [
            "ubuntu-ci = cli.main:main",
            "uci-engine = ci_utils.hosting.main:main",
        ]
    },
)
