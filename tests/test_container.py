"""The container files keep the names that people type and the rules of a decent image; no engine is needed."""

import fnmatch
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("cuda", "rocm", "cpu")
SERVICES = {"mapperatorinator": "cuda", "rocm": "rocm", "cpu": "cpu"}
REPOSITORY = "/workspace/Mapperatorinator"


def instructions():
    """(instruction, rest) of the Dockerfile, continued lines joined, comments left out."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines()]
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]


def stages():
    """{stage: its instructions}, in order; and the values of the arguments before the first."""
    found, arguments, current = {}, {}, None
    for word, rest in instructions():
        if word == "FROM":
            image, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            current = found.setdefault(name, [("FROM", image)])
        elif current is None:
            name, value = rest.split("=", 1)
            arguments[name] = value
        else:
            current.append((word, rest))
    return found, arguments


STAGES, ARGUMENTS = stages()


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


# ---- images


def test_there_is_a_target_for_each_kind_of_machine_and_cuda_is_the_default():
    assert set(STAGES) == set(TARGETS)
    assert list(STAGES)[-1] == "cuda", "the last stage is what is built when none is named"


@pytest.mark.parametrize("target", TARGETS)
def test_base_images_are_pinned(target):
    (base,) = (rest for word, rest in STAGES[target] if word == "FROM")
    image = ARGUMENTS[re.fullmatch(r"\$\{(\w+)\}", base)[1]]
    name, _, tag = image.partition(":")
    assert tag and "latest" not in tag and any(c.isdigit() for c in tag)
    assert name in ("pytorch/pytorch", "rocm/pytorch", "python"), "an official image of the default registry"


@pytest.mark.parametrize("target", TARGETS)
def test_images_run_as_a_plain_user_with_a_home_and_chosen_ids(target):
    lines = STAGES[target]
    declared = dict(rest.split("=", 1) for word, rest in lines if word == "ARG")
    user = [rest for word, rest in lines if word == "USER"][-1]
    for name, value in declared.items():
        user = user.replace(f"${{{name}}}", value)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = lines[max(i for i, (word, _) in enumerate(lines) if word == "USER") :]
    assert not [word for word, _ in after if word in ("RUN", "COPY")], "nothing is made for somebody else afterwards"
    environment = " ".join(rest for word, rest in lines if word == "ENV")
    assert "HOME=/home/mapper" in environment
    setup = (ROOT / "docker" / "setup.sh").read_text(encoding="utf-8")
    assert re.search(r"install -d -o .* /workspace .*/home/mapper/\.cache", setup)


@pytest.mark.parametrize("target", TARGETS)
def test_sources_come_after_the_packages_and_belong_to_the_user(target):
    lines = STAGES[target]
    run = next(i for i, (word, _) in enumerate(lines) if word == "RUN")
    sources = lines.index(("COPY", "--chown=${USER_ID}:${GROUP_ID} . ."))
    assert sources > run, "a change of a source file must not install everything again"
    assert ("WORKDIR", REPOSITORY) in lines


def test_nothing_is_added_from_addresses_and_everything_copied_exists():
    for word, rest in instructions():
        assert word != "ADD"
        if word == "COPY":
            sources = [part for part in rest.split() if not part.startswith("--")][:-1]
            assert all((ROOT / source).exists() for source in sources)
    for name in ("Dockerfile", "docker/setup.sh"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_packages_are_the_projects_own():
    setup = (ROOT / "docker" / "setup.sh").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.optional-dependencies]")[1]
    known = set(re.findall(r"^(\w+) = \[", project.split("\n[")[0], re.MULTILINE))
    asked = re.search(r"-e '\.\[([\w,]+)\]'", setup)[1].split(",")
    assert set(asked) <= known
    assert "constraints.txt" in setup


# ---- compose


def test_project_service_and_container_are_called_as_documented(compose):
    assert "name" not in compose  # the project is called like its folder; Compose 1.x refuses the key
    assert set(compose["services"]) == set(SERVICES)
    assert compose["services"]["mapperatorinator"]["container_name"] == "mapperatorinator_space"
    names = [service["container_name"] for service in compose["services"].values()]
    assert len(set(names)) == len(names)


def test_only_the_cuda_service_starts_when_none_is_named(compose):
    assert [name for name, service in compose["services"].items() if "profiles" not in service] == ["mapperatorinator"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_a_terminal_with_the_two_mounts(compose, name):
    service = compose["services"][name]
    assert service["build"]["target"] == SERVICES[name]
    assert service["stdin_open"] and service["tty"], "docker attach needs both"
    mounts = {volume.rsplit(":", 1)[1]: volume.rsplit(":", 1)[0] for volume in service["volumes"]}
    assert mounts[REPOSITORY] == "."
    assert mounts["/workspace/datasets"] == "${DATASETS_PATH:-../datasets}"
    assert service["shm_size"] == "16gb"
    assert service["network_mode"] == "host"
    environment = [entry.split("=")[0] for entry in service["environment"]]
    assert {"PROJECT_PATH", "WANDB_API_KEY", "WANDB_ENTITY"} <= set(environment)
    assert {"WANDB_API_KEY", "WANDB_ENTITY", "HF_TOKEN"} <= set(service["environment"]), "secrets are passed, not kept"


@pytest.mark.parametrize("name", SERVICES)
def test_build_arguments_exist_in_the_target(compose, name):
    build = compose["services"][name]["build"]
    declared = {rest.split("=")[0] for word, rest in STAGES[build["target"]] if word == "ARG"}
    assert {"USER_ID", "GROUP_ID"} <= set(build["args"]) <= declared


def test_each_service_gets_the_devices_of_its_kind_and_no_others(compose):
    services = compose["services"]
    (device,) = services["mapperatorinator"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert services["rocm"]["devices"] == ["/dev/kfd", "/dev/dri"]
    assert "video" in services["rocm"]["group_add"]
    assert not {"devices", "deploy", "group_add"} & set(services["cpu"])


# ---- what is left out


@pytest.mark.parametrize(
    "name", [".git", "runs", "datasets", ".venv", "venv", "logs", "output", ".env", "a/__pycache__"]
)
def test_the_build_context_leaves_out(name):
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    patterns = [p.strip().replace("**/", "*") for p in patterns if p.strip() and not p.startswith("#")]
    assert any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def test_the_build_context_keeps_what_is_copied_and_run():
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for name in ("osuT5", "configs", "models", "docker", "pyproject.toml", "constraints.txt", "README.md", "tests"):
        assert name not in patterns and not any(fnmatch.fnmatchcase(name, p) for p in patterns if "*" in p)
