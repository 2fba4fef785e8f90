#!/usr/bin/env bash
# Everything that the image needs besides its base, in one layer: git, the Python packages, the user.
# Runs as root in the folder of pyproject.toml, before the sources are there, so that a change of theirs rebuilds nothing.
# From the Dockerfile: USER_ID, GROUP_ID; for the CPU also TORCH and TORCH_INDEX.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
# The image is the environment: its Python may be the system's.
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

apt-get update
apt-get install -y --no-install-recommends ca-certificates git
rm -rf /var/lib/apt/lists/*

if [ -n "${TORCH:-}" ]; then
    python -m pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$TORCH"
fi

# The PyTorch that is there stays: it fits the base's drivers, and any other would bring gigabytes of libraries.
constraints=$(mktemp)
grep -v '^torch==' constraints.txt >"$constraints"
python -c 'import torch; print(f"torch=={torch.__version__}")' >>"$constraints"
python -m pip install -c "$constraints" -e '.[m4a,train,web,tensorboard,wandb,dev]'
rm "$constraints"

# The bases may have a user of this id already; files belong to the id, and HOME is set by the Dockerfile.
groupadd --non-unique --gid "$GROUP_ID" mapper
useradd --non-unique --uid "$USER_ID" --gid "$GROUP_ID" --create-home --shell /bin/bash mapper
install -d -o "$USER_ID" -g "$GROUP_ID" /workspace /workspace/Mapperatorinator /workspace/datasets /home/mapper/.cache
