# Images for training and generating: docker build --target cuda|rocm|cpu. See docs/docker.md.
# The bases bring Python and, but for the CPU, the PyTorch that fits their drivers; docker/setup.sh does the same on each.
ARG CUDA_IMAGE=pytorch/pytorch:2.10.0-cuda13.0-cudnn9-devel
ARG ROCM_IMAGE=rocm/pytorch:rocm7.0_ubuntu24.04_py3.12_pytorch_release_2.8.0
ARG CPU_IMAGE=python:3.11.13-slim-bookworm

FROM ${CPU_IMAGE} AS cpu
# What pip is told to install, and where from when its usual index has no CPU build of that name.
ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=
ARG USER_ID=1000
ARG GROUP_ID=1000
WORKDIR /workspace/Mapperatorinator
COPY docker/setup.sh pyproject.toml constraints.txt README.md ./
RUN bash setup.sh
COPY --chown=${USER_ID}:${GROUP_ID} . .
ENV HOME=/home/mapper PYTHONPATH=/workspace/Mapperatorinator
USER ${USER_ID}:${GROUP_ID}
CMD ["bash"]

FROM ${ROCM_IMAGE} AS rocm
ARG USER_ID=1000
ARG GROUP_ID=1000
WORKDIR /workspace/Mapperatorinator
COPY docker/setup.sh pyproject.toml constraints.txt README.md ./
RUN bash setup.sh
COPY --chown=${USER_ID}:${GROUP_ID} . .
ENV HOME=/home/mapper PYTHONPATH=/workspace/Mapperatorinator
USER ${USER_ID}:${GROUP_ID}
CMD ["bash"]

# The last one is what is built when no target is named.
FROM ${CUDA_IMAGE} AS cuda
ARG USER_ID=1000
ARG GROUP_ID=1000
WORKDIR /workspace/Mapperatorinator
COPY docker/setup.sh pyproject.toml constraints.txt README.md ./
RUN bash setup.sh
COPY --chown=${USER_ID}:${GROUP_ID} . .
ENV HOME=/home/mapper PYTHONPATH=/workspace/Mapperatorinator
USER ${USER_ID}:${GROUP_ID}
CMD ["bash"]
