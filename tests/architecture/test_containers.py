"""docker-compose.yml and what it builds: valid, pinned, without root or secrets, running what we test."""

import json
import re
import shutil
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import get_commands, load_command_class

from config import env
from config.embedded import python_services as embedded
from tests.architecture.repository import PROJECT, read

COMPOSE: dict[str, Any] = yaml.safe_load(read("docker-compose.yml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_RUNNING = {"postgres", "redis", "objects", "web", "worker", "beat", "replicator", "follower"}
ONE_SHOT = {"certificates", "provision", "migrate", "publication"}
OURS = {"web", "worker", "beat", "replicator", "follower", "provision", "migrate", "publication"}
DOCKERFILES = ("docker/Dockerfile", "docker/postgres/Dockerfile")
REQUIRED = re.compile(r"\$\{([A-Z0-9_]+):\?[^}]+\}")


def environment(service: str) -> dict[str, str]:
    """Return a service's variables."""
    return SERVICES[service].get("environment", {})


def test_the_file_is_a_compose_file():
    schema = json.loads(read("tests/architecture/compose-spec.json"))
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(COMPOSE))
    broken = {**COMPOSE, "services": {**SERVICES, "web": {**SERVICES["web"], "prots": ["8000:8000"]}}}
    assert list(validator.iter_errors(broken)), "the schema accepts anything"


def test_the_services_are_the_known_ones():
    assert set(SERVICES) == LONG_RUNNING | ONE_SHOT


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned(service: str):
    if "build" in SERVICES[service]:
        assert re.fullmatch(r"lakeside(-\w+)?:\d+(\.\d+)+", SERVICES[service]["image"])
    else:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", SERVICES[service]["image"])


@pytest.mark.parametrize("path", DOCKERFILES)
def test_base_images_are_pinned_and_root_is_left(path: str):
    text = read(path)
    bases = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base) for base in bases)
    users = re.findall(r"^USER (\S+)", text, flags=re.MULTILINE)
    assert users
    assert users[-1].partition(":")[0] not in {"root", "0"}


def test_one_shot_services_end_and_the_others_are_watched():
    assert {name for name, service in SERVICES.items() if service.get("restart") == "no"} == ONE_SHOT
    assert {name for name, service in SERVICES.items() if service.get("restart") == "unless-stopped"} == LONG_RUNNING
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == LONG_RUNNING


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_runs_as_root_or_may_become_it(service: str):
    definition = SERVICES[service]
    user, _, group = definition["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert definition["cap_drop"] == ["ALL"]
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert definition["read_only"] is True
    assert "privileged" not in definition
    assert "cap_add" not in definition


@pytest.mark.parametrize("service", SERVICES)
def test_services_wait_for_what_they_need(service: str):
    for name, wanted in SERVICES[service].get("depends_on", {}).items():
        expected = "service_healthy" if name in LONG_RUNNING else "service_completed_successfully"
        assert wanted == {"condition": expected}


def test_only_the_web_port_is_published_and_only_on_loopback():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "front" in service.get("networks", [])} == {"web"}


def test_secrets_come_from_the_environment_file():
    for name in SERVICES:
        for variable, text in environment(name).items():
            if re.search(r"PASSWORD|SECRET|_KEY", variable):
                assert REQUIRED.fullmatch(text), f"{name}: {variable}"
            for password in re.findall(r"://[^/\s]*:([^/\s]*)@", text):
                assert REQUIRED.fullmatch(password), f"{name}: {variable}"


def test_new_env_prints_every_variable_that_is_required():
    printed = subprocess.run(
        ["sh", "docker/new-env.sh"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    values = dict(line.split("=", 1) for line in printed.splitlines())
    assert set(values) == set(REQUIRED.findall(read("docker-compose.yml")))
    assert len(set(values.values())) == len(values)
    assert all(re.fullmatch(r"[A-Za-z0-9]{32,}", secret) for secret in values.values())


def test_our_services_get_known_settings_and_no_more_than_they_need():
    known = set(env.variables())
    holders: dict[str, set[str]] = {}
    for name in OURS:
        unknown = {variable for variable in environment(name) if not variable.startswith("AWS_")} - known
        assert not unknown, name
        for variable in environment(name):
            holders.setdefault(variable, set()).add(name)
    assert holders["DATABASE_URL"] == {"provision", "migrate", "publication"}
    assert holders["LAKEHOUSE_SOURCE_URL"] == {"provision", "publication", "worker", "replicator"}
    assert holders["LAKEHOUSE_CATALOG_URL"] == {"provision", "publication", "worker", "follower"}
    assert holders["AWS_SECRET_ACCESS_KEY"] == {"worker"}
    assert "replicator" not in holders["APP_DATABASE_URL"] | holders["REDIS_URL"]


def test_every_connection_to_postgres_is_encrypted_and_verified():
    urls = [text for name in OURS for text in environment(name).values() if text.startswith("postgresql://")]
    assert urls
    for url in urls:
        assert url.endswith("@postgres:5432/lakeside?sslmode=verify-full&sslrootcert=/certificates/ca.crt")
    rules = [line.split() for line in read("docker/postgres/pg_hba.conf").splitlines() if line and line[0] != "#"]
    assert {rule[0] for rule in rules} == {"local", "hostssl"}
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}


def test_postgres_is_15_and_lets_changes_be_captured():
    assert "FROM postgres:15." in read("docker/postgres/Dockerfile")
    options = set(SERVICES["postgres"]["command"])
    assert {"-cwal_level=logical", "-cssl=on", "-chba_file=/etc/lakeside/pg_hba.conf"} <= options


def test_processes_are_started_as_the_supervisor_starts_them():
    home, values = Path("/var/lib/lakeside"), {}
    web = embedded.web(home, values, descriptor=0).arguments
    assert SERVICES["web"]["command"] == ["python", "-m", *(a.replace("fd://0", "0.0.0.0:8000") for a in web)]
    assert SERVICES["worker"]["command"] == ["python", "-m", *embedded.worker(home, values).arguments]
    assert SERVICES["beat"]["command"] == ["python", "-m", *embedded.beat(home, values).arguments]
    assert SERVICES["replicator"]["command"] == ["python", "-m", *embedded.replicator(home, values).arguments]
    assert SERVICES["follower"]["command"] == ["python", "-m", *embedded.follower(home, values).arguments]


@pytest.mark.parametrize("service", ["provision", "migrate", "publication"])
def test_one_shot_commands_exist(service: str):
    python, program, name, *arguments = SERVICES[service]["command"]
    assert (python, program) == ("python", "manage.py")
    owner = get_commands()[name]
    command = load_command_class(owner, name) if isinstance(owner, str) else owner
    command.create_parser("manage.py", name).parse_args(arguments)


def test_volumes_are_declared_once_and_used():
    mounted = [mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {name for name in mounted if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert all((PROJECT / name).exists() for name in mounted if name.startswith("."))


def test_the_image_holds_what_it_copies_and_nothing_else_reaches_the_build():
    text = read("docker/Dockerfile")
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE) for name in line.split()
    }
    ignored = read(".dockerignore").splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((PROJECT / name).exists() for name in copied)
    assert "--require-hashes" in text


def test_redis_reads_its_password_from_standard_input(tmp_path: Path):
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\necho "arguments: $*"\ncat\n')
    server.chmod(0o755)
    started = subprocess.run(
        ["/bin/sh", PROJECT / "docker/redis.sh"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "REDIS_PASSWORD": "s3cret"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert started[0] == "arguments: -"
    assert "requirepass s3cret" in started
    assert "maxmemory-policy noeviction" in started


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate_is_private_lasting_and_for_postgres(tmp_path: Path):
    script = ["/bin/sh", PROJECT / "docker/postgres/certificates.sh", tmp_path]
    subprocess.run(script, check=True, capture_output=True)
    first = (tmp_path / "server.crt").read_bytes()
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"ca.crt", "server.crt", "server.key"}
    subprocess.run(script, check=True, capture_output=True)
    assert (tmp_path / "server.crt").read_bytes() == first, "a certificate that is good was replaced"
    assert handshake(tmp_path, "postgres") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, "elsewhere")


def handshake(folder: Path, host: str) -> str | None:
    """Let a client that trusts the authority meet the server, in memory; return the protocol they agree on."""
    client_in, server_in = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "server.crt", folder / "server.key")
    client = trusting.wrap_bio(client_in, server_in, server_hostname=host)
    server = serving.wrap_bio(server_in, client_in, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()
