#!/usr/bin/env bash
# deps.sh: installs what building and testing magpie needs on Debian 12; `deps.sh bench` also what
# the benchmarks' rivals need. Does nothing, and asks the network nothing, when all of it is there.
set -euo pipefail

packages=(
  make cmake ninja-build ccache pkg-config g++ coreutils diffutils findutils python3
  clang-19 libclang-rt-19-dev llvm-19 clang-tidy-19 clang-format-19
  libconcurrentqueue-dev libssl-dev libcli11-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev relacy-dev spin
)
if [[ ${1:-} == bench ]]; then
  packages+=(
    libtbb-dev libomp-19-dev libboost-dev golang-go cargo librust-rayon-dev librust-tokio-dev
    python3-matplotlib valgrind
  )
fi

if ! command -v dpkg-query >/dev/null; then
  echo "deps: no Debian here. Please see to the equivalents of: ${packages[*]}" >&2
  exit 0
fi

# dpkg-query names the installed ones; the rest is missing.
installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/ installed$//p') || true
missing=$(printf '%s\n' "${packages[@]}" | grep -vxF "${installed:-none}") || true
if [[ -z $missing ]]; then
  exit 0
fi

mapfile -t missing <<<"$missing"
install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [[ $EUID -eq 0 ]]; then
  as_root=(env)
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
  as_root=(sudo env)
else
  echo "deps: packages are missing. As root, run" >&2
  echo "  apt-get update && ${install[*]}" >&2
  exit 1
fi
echo "deps: ${install[*]}"
"${as_root[@]}" apt-get update
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}"
