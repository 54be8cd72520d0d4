"""Whether what is installed is new enough for redelivery. What servers must be is in `producer.requirements`."""

from importlib.metadata import version

from producer.requirements import Finding, Level, parse_version

_PACKAGES = {"celery": (5, 7), "kombu": (5, 7)}


def judge_packages(versions: dict[str, str]) -> list[Finding]:
    """Whether the Celery that is installed is one with which redelivery works."""
    return [
        Finding(level=Level.FINE, subject=package, found=versions[package])
        if parse_version(versions[package]) >= oldest
        else Finding(
            level=Level.ERROR,
            subject=package,
            found=versions[package],
            advice=f"redelivery needs {package} {'.'.join(map(str, oldest))} or newer: pip install -U {package}",
        )
        for package, oldest in _PACKAGES.items()
    ]


def installed_packages() -> dict[str, str]:
    return {package: version(package) for package in _PACKAGES}
