#!/usr/bin/env bash
# layers_test.sh ROOT: the include rules that include paths cannot enforce.
#   1  scheduler <- runtime <- combinators: nothing includes a layer above its own; only a test of
#      the runtime may use combinators, to see the runtime through what is made of it
#   2  <magpie/x.hpp> is public; a public header includes no private one, for it gets installed alone
#   3  "layer/x.hpp" is private to that layer and its tests; no other spelling reaches a private header
#   4  <magpie/detail/x.hpp> is nobody's to include but the library's and its own tests': no page,
#      example or install test shows it
#   5  moodycamel's header is included by one .cpp of the scheduler and nowhere else, but for what is
#      measured beside magpie
# Then each rule is broken on purpose in a scratch tree, to see that this test would notice.
set -euo pipefail

# check ROOT: prints one line for each violation.
check() {
  cd "$1"
  find . -path ./build -prune -o \( -name '*.[ch]pp' -o -name '*.md' \) -printf '%P\n' |
    LC_ALL=C sort | xargs awk '
    function rank(layer) { return index("scheduler runtime combinators", layer) }
    function exists(path, line, found) {
      found = (getline line < path) >= 0
      close(path)
      return found
    }
    function report(why) { print FILENAME ":" FNR ": " why ": " $0 }

    FNR == 1 {
      split(FILENAME, part, "/")
      in_tests = part[1] == "tests"
      layer = in_tests ? part[2] : part[1]
      if (layer !~ /^(scheduler|runtime|combinators)$/) layer = ""
      is_page = FILENAME ~ /\.md$/
      is_public = !in_tests && layer != "" && part[2] == "magpie"
      is_for_users = is_page || part[1] == "examples" || part[1] "/" part[2] == "tests/install"
    }
    !match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]+[>"]/) { next }
    {
      form = substr($0, RSTART, RLENGTH)
      sub(/^[^<"]*/, "", form)
      quoted = substr(form, 1, 1) == "\""
      path = substr(form, 2, length(form) - 2)
      split(path, piece, "/")

      if (is_for_users && path ~ /^magpie\/detail\//) report("a header that is not for users")
      else if (is_page) next
      else if (path ~ /concurrentqueue/) {
        if (part[1] == "benchmarks") next
        if (layer != "scheduler" || in_tests || FILENAME !~ /\.cpp$/) report("moodycamel outside the scheduler")
        else if (moodycamel++) report("moodycamel in a second file")
      } else if (path ~ /^magpie\//) {
        if (quoted) report("a public header is spelled <magpie/x.hpp>")
        owner = exists("scheduler/" path) ? "scheduler" : exists("runtime/" path) ? "runtime" \
              : exists("combinators/" path) ? "combinators" : ""
        if (owner == "") report("no such public header")
        else if (layer != "" && rank(owner) > rank(layer) && !(in_tests && layer == "runtime")) {
          report("an upward include")
        }
      } else if (!quoted) {
        if (exists("scheduler/" path) || exists("runtime/" path) || exists("combinators/" path) ||
            exists(path)) report("a private header is spelled \"layer/x.hpp\"")
      } else if (path ~ /^(scheduler|runtime|combinators)\//) {
        if (piece[2] == "magpie") report("a public header is spelled <magpie/x.hpp>")
        else if (is_public) report("a public header includes a private one")
        else if (layer != "" ? piece[1] != layer : !in_tests) report("a private header of another layer")
      } else if (layer != "" && !(in_tests && path ~ /^support\//)) {
        report("a private header is spelled \"layer/x.hpp\"")
      } else if (path ~ /\.\.\//) report("no path may climb")
    }'
}

violations=$(check "$1")
if [[ -n $violations ]]; then
  echo "$violations"
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{scheduler,runtime,combinators}/magpie/detail
mkdir -p "$scratch"/{tests/{scheduler,runtime,install},examples,docs}
touch "$scratch"/scheduler/{magpie/clock.hpp,worker.hpp} "$scratch"/runtime/{magpie/task.hpp,frame.hpp}
touch "$scratch"/runtime/magpie/detail/join.hpp "$scratch"/combinators/magpie/gather.hpp
echo '#include <concurrentqueue.h>' >"$scratch/scheduler/lane.cpp"
echo '#include <magpie/detail/join.hpp>' >"$scratch/tests/runtime/join_test.cpp"
echo '#include <magpie/gather.hpp>' >"$scratch/tests/runtime/task_test.cpp"
if [[ -n $(check "$scratch") ]]; then
  echo "a tree without violations is refused"
  exit 1
fi

# refused FILE INCLUDE REASON
refused() {
  echo "#include $2" >"$scratch/$1"
  if [[ $(check "$scratch") != "$1:1: $3: "* ]]; then
    echo "not noticed: #include $2 in $1 ($3)"
    exit 1
  fi
  rm "$scratch/$1"
}
refused scheduler/bad.cpp '<magpie/task.hpp>' 'an upward include'
refused tests/scheduler/bad.cpp '<magpie/task.hpp>' 'an upward include'
refused scheduler/bad.cpp '<magpie/missing.hpp>' 'no such public header'
refused scheduler/bad.cpp '"runtime/frame.hpp"' 'a private header of another layer'
refused runtime/bad.cpp '<magpie/gather.hpp>' 'an upward include'
refused runtime/bad.cpp '"scheduler/worker.hpp"' 'a private header of another layer'
refused tests/runtime/bad.cpp '"scheduler/worker.hpp"' 'a private header of another layer'
refused examples/bad.cpp '"scheduler/worker.hpp"' 'a private header of another layer'
refused runtime/magpie/bad.hpp '"runtime/frame.hpp"' 'a public header includes a private one'
refused runtime/bad.cpp '"magpie/task.hpp"' 'a public header is spelled <magpie/x.hpp>'
refused runtime/bad.cpp '"runtime/magpie/task.hpp"' 'a public header is spelled <magpie/x.hpp>'
refused runtime/bad.cpp '"frame.hpp"' 'a private header is spelled "layer/x.hpp"'
refused runtime/bad.cpp '<frame.hpp>' 'a private header is spelled "layer/x.hpp"'
refused runtime/bad.cpp '<runtime/frame.hpp>' 'a private header is spelled "layer/x.hpp"'
refused examples/bad.cpp '"../runtime/frame.hpp"' 'no path may climb'
refused examples/bad.cpp '<magpie/detail/join.hpp>' 'a header that is not for users'
refused tests/install/bad.cpp '<magpie/detail/join.hpp>' 'a header that is not for users'
refused docs/bad.md '<magpie/detail/join.hpp>' 'a header that is not for users'
refused runtime/bad.cpp '<magpie/join.hpp>' 'no such public header'
refused runtime/bad.cpp '<concurrentqueue/concurrentqueue.h>' 'moodycamel outside the scheduler'
refused scheduler/bad.hpp '<concurrentqueue.h>' 'moodycamel outside the scheduler'
refused scheduler/more.cpp '<concurrentqueue.h>' 'moodycamel in a second file'
echo "the include rules hold"
