"""Publishing a checkpoint on the model hub: `python -m osuT5.publish model=FOLDER repo=owner/name`.

Copy into a staging folder → take out the mappers who asked for it → write the card → load every part again → upload
→ load every part again from the hub. The source is never changed. Facts: the layout of the published repositories,
a root and `gamemode=<n>` folders beside it, each a whole checkpoint.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator

from osuT5 import cli
from osuT5.errors import CheckpointError, InputError, OptionErrors
from osuT5.events import Profile
from osuT5.options import Bool, Command, Options, PathText, Text, contradiction, must_exist, option, required

if TYPE_CHECKING:
    from osuT5.model import Erased, Mapperatorinator

USAGE = """python -m osuT5.publish model=FOLDER repo=owner/name [key=value ...]

Prepares a checkpoint in a staging folder and uploads it to the model hub. FOLDER itself is never changed.

Uploading needs an access token: hf auth login, or the environment variable HF_TOKEN."""
GAMEMODES = {0: "osu!", 1: "osu!taiko", 2: "osu!catch", 3: "osu!mania"}
REPO = re.compile(r"[\w.-]+/[\w.-]+")
MARK = ".mapperatorinator-staging"  # says that a folder is ours to replace; not uploaded
# Files of an earlier upload that would still hold what has been taken out, or be half a checkpoint.
STALE = ("gamemode=*", "*.safetensors", "*.index.json", "*.bin", "*.pkl", "*.pt", "*.ckpt")


def _gamemodes(value: Any) -> dict[int, str | None]:
    """{mode: folder, or None for the one beside the root} of a list or a table."""
    if not isinstance(value, (list, tuple, Mapping)):
        raise ValueError("is not a list such as [0,3] or a table such as {0: FOLDER}")
    wrong = [mode for mode in value if isinstance(mode, bool) or str(mode) not in map(str, GAMEMODES)]
    if wrong:
        raise ValueError(f"has {wrong[0]!r}; there are {', '.join(map(str, GAMEMODES))}")
    return {int(mode): str(value[mode]) if isinstance(value, Mapping) else None for mode in value}


@contradiction("repo")
def repo_is_no_name(repo: str | None) -> str | None:
    return None if REPO.fullmatch(repo or "") else f"repo={repo or ''} is not of the form owner/name"


class PublishOptions(Options):
    """Options of a publication. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="publish",
        title="publishing",
        usage=USAGE,
        contradictions=(
            required("model", "the folder of a checkpoint"),
            must_exist("model", "folder"),
            must_exist("opt_out", "file"),
            must_exist("card", "file"),
            repo_is_no_name,
        ),
        words={"model_path": "model", "repository": "repo", "repo_id": "repo", "output": "out", "token": "repo"},
    )

    model: PathText | None = option("checkpoint folder; its gamemode=0 ... gamemode=3 folders go with it")
    repo: PathText | None = option("owner/name on the hub; made if it is not there")
    out: PathText | None = option("staging folder; null: output/publish/NAME")
    gamemodes: Annotated[dict[int, str | None], BeforeValidator(_gamemodes)] | None = option(
        "null: all sub-checkpoints that lie in model; [0,3]: only these; {0: FOLDER0, 3: FOLDER3}: from there"
    )
    opt_out: PathText | None = option("file of the mappers to take out: a user id a line, # begins a comment")
    card: PathText | None = option("text or Markdown file that says what the model was trained on, for its card")
    license: Text | None = option("for the card, as the hub spells it, such as cc-by-nc-4.0")
    profile: PathText | None = option("name of the profile, for checkpoints without profile.json")
    private: Bool = option("true: only you see it; false: everybody", True)
    dry_run: Bool = option("prepare and check the staging folder, upload nothing", False)


@dataclass(frozen=True)
class Part:
    """One checkpoint of the repository.

    Attributes:
        subfolder: "" for the root, else gamemode=<n>.
        bytes: size of the weight files; `dtypes` are those in them, as safetensors names them.
        mappers: number of mappers it still knows.
    """

    subfolder: str
    profile: Profile
    erased: Erased
    parameters: int
    bytes: int
    dtypes: tuple[str, ...]
    mappers: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one publication."""
    return cli.run(work, PublishOptions, "default", arguments)


def work(options: PublishOptions) -> int:
    """Stages and uploads. Raises OptionErrors for wrong folders and files, CheckpointError for a bad checkpoint."""
    from osuT5.model import read_user_ids

    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    sources, out = check(options)
    users = read_user_ids(Path(options.opt_out).expanduser()) if options.opt_out else frozenset()
    repo = str(options.repo)
    parts = stage(sources, out, users, repo, _text(options.card), options.license, options.profile)
    for part in parts:
        say(describe(part, users))
    if not users and any(part.mappers for part in parts):
        say("the model knows mappers and opt_out= names no file, so all of them stay in it")
    say(f"staged and checked: {out}")
    if not options.dry_run:
        say(f"published and checked: {upload(out, parts, users, repo, options.private)}")
    return 0


# ---- what to publish


def check(options: PublishOptions) -> tuple[dict[str, Path], Path]:
    """({sub-folder: source folder}, staging folder). Raises OptionErrors naming every folder and file that is wrong."""
    problems: list[str] = []
    root = Path(str(options.model)).expanduser()
    sources = {"": root, **_sub_checkpoints(root, options.gamemodes, problems)}
    out = Path(options.out or Path("output/publish") / str(options.repo).split("/")[-1]).expanduser()
    problems += _check_staging(out, sources)
    if problems:
        raise OptionErrors(problems)
    return sources, out


def _sub_checkpoints(root: Path, wanted: Mapping[int, str | None] | None, problems: list[str]) -> dict[str, Path]:
    if wanted is None:
        wanted = {mode: None for mode in GAMEMODES if (root / f"gamemode={mode}").is_dir()}
    chosen = {m: root / f"gamemode={m}" if path is None else Path(path).expanduser() for m, path in wanted.items()}
    problems += [f"gamemodes: {folder} is no folder" for folder in chosen.values() if not folder.is_dir()]
    return {f"gamemode={mode}": folder for mode, folder in sorted(chosen.items())}


def _check_staging(out: Path, sources: Mapping[str, Path]) -> list[str]:
    place = out.resolve()
    for source in (folder.resolve() for folder in sources.values()):
        if place == source or place in source.parents or source in place.parents:
            return [f"out={str(out)!r} overlaps the checkpoint {source}; choose a folder elsewhere"]
    if out.exists() and not (out / MARK).is_file() and not (out.is_dir() and not any(out.iterdir())):
        return [f"out={str(out)!r} exists and was not made by this command; remove it or choose another folder"]
    return []


def _text(path: str | None) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig").strip() if path else ""
    except (OSError, ValueError) as error:
        raise InputError(f"card={path!r}: cannot be read as text: {error}") from error


# ---- staging


def stage(
    sources: Mapping[str, Path],
    out: Path,
    users: frozenset[int],
    repo: str,
    note: str = "",
    license_name: str | None = None,
    profile: Profile | str | None = None,
) -> list[Part]:
    """Makes the staging folder: whole and checked, or not at all.

    Args:
        sources: {"" or gamemode=<n>: checkpoint folder}.
        out: replaced when it is an older staging folder.
        users: user ids of the mappers to take out.
        note: what the model was trained on.
        profile: for checkpoints without profile.json.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
            made = Path(temporary) / "staging"
            parts = [_stage_part(name, folder, made / name, users, profile) for name, folder in sources.items()]
            (made / "README.md").write_text(model_card(repo, parts, note, license_name), encoding="utf-8")
            (made / MARK).write_text("made by python -m osuT5.publish, which may replace this folder\n")
            for part in parts:
                verify(made, part, users)
            if out.exists():
                os.replace(out, Path(temporary) / "older")
            os.replace(made, out)
    except OSError as error:
        raise InputError(f"{out}: the staging folder cannot be made: {error}") from error
    return parts


def _stage_part(name: str, source: Path, target: Path, users: frozenset[int], profile: Profile | str | None) -> Part:
    from osuT5.model import erase_mappers, load_model, weight_files

    model = load_model(source, profile=profile)
    target.mkdir(parents=True, exist_ok=True)
    weights = weight_files(source)
    indices = [p for p in (source / "model.safetensors.index.json",) if p.is_file() and len(weights) > 1]
    for path in (*weights, *indices, source / "config.json", source / "tokenizer.json"):
        shutil.copyfile(path, target / path.name)
    generation = source / "generation_config.json"
    values = json.loads(generation.read_bytes()) if generation.is_file() else model.config.generation_defaults()
    for file_name, content in (("generation_config.json", values), ("profile.json", model.profile.to_dict())):
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
        (target / file_name).write_text(text + "\n", encoding="utf-8")
    erased = erase_mappers(target, users)
    state = model.state_dict()
    return Part(
        subfolder=name,
        profile=model.profile,
        erased=erased,
        parameters=sum(value.numel() for value in state.values()),
        bytes=sum(path.stat().st_size for path in weights),
        dtypes=_dtypes(weights),
        mappers=len(set(model.vocabulary.mapper_idx) - users),
    )


def _dtypes(weights: Sequence[Path]) -> tuple[str, ...]:
    from safetensors import safe_open

    found = set()
    for path in weights:
        with safe_open(path, framework="pt") as file:
            found |= {file.get_slice(name).get_dtype() for name in file.keys()}
    return tuple(sorted(found))


def verify(folder: Path, part: Part, users: frozenset[int]) -> Mapperatorinator:
    """Loads a part as users will. Raises CheckpointError when it does not load or still knows a removed mapper."""
    from osuT5.model import load_model

    model = load_model(folder / part.subfolder)
    known = users & {*model.vocabulary.mapper_idx, *model.vocabulary.beatmap_mapper.values()}
    state = model.state_dict()
    if known or any(bool(state[name][rows].any()) for name, rows in part.erased.rows.items()):
        raise CheckpointError(f"{folder / part.subfolder}: it still knows mappers who are to be taken out")
    return model


# ---- words


def describe(part: Part, users: frozenset[int]) -> str:
    removed = f", {len(part.erased.users)} of {len(users)} listed mappers taken out" if users else ""
    size = f"{part.parameters / 1e6:.1f} M parameters, {part.bytes / 1e6:.0f} MB"
    return f"{part.subfolder or 'root'}: profile {part.profile.name}, {size}, {part.mappers} mappers known{removed}"


def model_card(repo: str, parts: Sequence[Part], note: str, license_name: str | None) -> str:
    """README.md of the repository, from what the checkpoints say of themselves."""
    root = parts[0]
    profile = root.profile
    head = ["library_name: transformers", "tags: [osu, beatmap-generation, rhythm-game, music]"]
    if license_name:
        head.insert(0, f"license: {license_name}")
    modes = ", ".join(GAMEMODES[mode] for mode in profile.gamemodes)
    contexts = ", ".join(context.value for context in profile.output_contexts)
    rows = [
        f"| `{part.subfolder or '.'}` | {part.profile.name} | {part.parameters / 1e6:.1f} M | {', '.join(part.dtypes)} "
        f"| {part.bytes / 1e6:.0f} MB | {part.mappers} |"
        for part in parts
    ]
    removed = max(len(part.erased.users) for part in parts)
    lines = [
        "---", *head, "---", "",
        f"# {repo.split('/')[-1]}", "",
        f"Generates osu! beatmaps from songs ({modes}). It hears {profile.window_ms / 1000:.1f} s at "
        f"{profile.sample_rate / 1000:g} kHz at a time and writes event tokens: {contexts}.", "",
        "```sh", f'python inference.py model_path={repo} audio_path="song.mp3" difficulty=5', "```", "",
        "| folder | profile | parameters | weights | size | mappers |", "|---|---|---|---|---|---|", *rows, "",
    ]  # fmt: skip
    if len(parts) > 1:
        lines += ["The folder of a game mode is used for that mode, the root for the others.", ""]
    lines += ["## Training data", "", note or "The publisher has not said what the model was trained on.", ""]
    if removed:
        lines += [
            f"{removed} mappers asked not to be imitated. What the model learned under their names has been erased: "
            "asking for them gives the same as asking for nobody.", "",
        ]  # fmt: skip
    lines += ["## Use", "", "Maps are drafts to be edited, not finished work. Disclose that they are generated.", ""]
    return "\n".join(lines)


# ---- the hub


def upload(folder: Path, parts: Sequence[Part], users: frozenset[int], repo: str, private: bool) -> str:
    """Uploads a staging folder and loads every part again from the hub; the address of the commit.

    Raises InputError: no access token, the repository is public though it should not be, or the hub refuses.
    """
    import huggingface_hub

    if not huggingface_hub.get_token():
        raise InputError(
            f"there is no access token for the model hub; run `hf auth login` or set HF_TOKEN (staged: {folder})"
        )
    api = huggingface_hub.HfApi()
    asked(lambda: api.create_repo(repo, private=private, repo_type="model", exist_ok=True), repo, "be made")
    if private and not asked(lambda: api.repo_info(repo, repo_type="model"), repo, "be looked at").private:
        raise InputError(f"{repo} exists and is public; private=false uploads there, or choose another repo")
    commit = asked(
        lambda: api.upload_folder(
            repo_id=repo,
            folder_path=folder,
            repo_type="model",
            commit_message=f"Publish {repo.split('/')[-1]}",
            ignore_patterns=[MARK],
            delete_patterns=list(STALE),
        ),
        repo,
        "be uploaded",
    )
    found = asked(
        lambda: huggingface_hub.snapshot_download(repo, revision=commit.oid), repo, "be fetched again for the check"
    )
    for part in parts:
        verify(Path(found), part, users)
    return str(commit.commit_url)


def asked(request: Callable[[], Any], repo: str, what: str) -> Any:
    """The hub's answer. Raises InputError naming the repository and the hub's reason."""
    try:
        return request()
    except Exception as error:  # network errors come from whichever HTTP client the hub library uses
        raise InputError(
            f"{repo} cannot {what}: {error}; check the network, the name, and that the token may write there"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
