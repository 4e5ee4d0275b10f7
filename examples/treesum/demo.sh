#!/usr/bin/env bash
# Runs treesum and sha256sum over the same files, compares what they print byte for byte, and shows
# both times.
#   usage: [DIR=...] demo.sh TREESUM
# DIR is a folder, or several with spaces between them; /usr/include when it is not set.
set -euo pipefail

treesum=${1:?usage: [DIR=...] demo.sh TREESUM}
DIR=${DIR:-/usr/include}
if [[ -e $DIR ]]; then folders=("$DIR"); else read -r -a folders <<<"$DIR"; fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

find "${folders[@]}" -type f -print0 | LC_ALL=C sort -z >"$scratch/files" || true
count=$(tr -cd '\0' <"$scratch/files" | wc -c)
echo "$count files below ${folders[*]}"
if ((count == 0)); then exit 1; fi
# Read once before either is timed, so that neither waits for the disk.
xargs -0 -r cat <"$scratch/files" >/dev/null 2>&1 || true

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

begin=$(microseconds)
xargs -0 -r sha256sum <"$scratch/files" >"$scratch/expected" || true
middle=$(microseconds)
status=0
"$treesum" "${folders[@]}" >"$scratch/actual" || status=$?
end=$(microseconds)

# 1 says that some files could not be read, which has just been told.
if ((status > 1)); then
  echo "demo: treesum ended with exit code $status" >&2
  exit "$status"
fi
if ! cmp "$scratch/expected" "$scratch/actual"; then
  echo "demo: treesum and sha256sum do not print the same" >&2
  diff "$scratch/expected" "$scratch/actual" | head -n 10 >&2 || true
  exit 1
fi
echo "the same $(wc -l <"$scratch/actual") lines, byte for byte"
awk -v one=$((middle - begin)) -v ours=$((end - middle)) 'BEGIN {
  printf "sha256sum %8.1f ms\ntreesum   %8.1f ms (%.2f of it)\n", one / 1e3, ours / 1e3, ours / one
}'
