#!/usr/bin/env bash
# install_test.sh prefix|find_package|add_subdirectory|pkg_config
# Uses magpie from a project outside its tree. Started by ctest, which sets the environment.
set -euo pipefail
kind=$1
prefix=$WORK/prefix
project=$WORK/$kind
here=$SOURCE/tests/install

# The user's build is not optimised: there g++ turns an await into a tail call only because magpie
# tells it to, and deep_awaits overflows the stack if it does not.
export CXXFLAGS="$CXXFLAGS -O0"

fail() {
  echo "install_test: $*" >&2
  exit 1
}

# A copy without the tree around it, so that no relative path finds anything of it.
copy_project() {
  rm -rf "$project"
  cp -r "$here/$kind" "$project"
  cp "$SOURCE/examples/hello.cpp" "$here/deep_awaits.cpp" "$project"
}

# build_with_cmake [option...]
build_with_cmake() {
  "$CMAKE" -S "$project" -B "$project/build" -DCMAKE_BUILD_TYPE= "$@"
  "$CMAKE" --build "$project/build" --parallel 2
}

# run_programs DIR
run_programs() {
  "$1/hello" | diff "$SOURCE/examples/hello.expected" - || fail "hello printed something else"
  "$1/deep_awaits" || fail "deep_awaits ended with $?"
  echo "hello and deep_awaits ran"
}

case $kind in
  prefix)
    rm -rf "$prefix"
    "$CMAKE" --install "$BUILD" --prefix "$prefix"
    # moodycamel stays inside the library: neither a header nor the package may ask for it.
    if grep -rIil concurrentqueue "$prefix"; then fail "the installed files above name moodycamel"; fi
    if grep -rIlF -e "$SOURCE" -e "$BUILD" "$prefix"; then fail "the files above name this tree"; fi
    # A user who lists include/magpie sees what users include, and nothing else.
    for header in "$prefix"/include/magpie/*; do
      name=$(basename "$header")
      [[ $name == detail || $name == magpie.hpp ]] ||
        grep -qxF "#include <magpie/$name>" "$prefix/include/magpie/magpie.hpp" ||
        fail "<magpie/magpie.hpp> does not include $name: a header for users, or one for detail/?"
    done
    ;;
  find_package)
    copy_project
    build_with_cmake -DCMAKE_PREFIX_PATH="$prefix"
    run_programs "$project/build"
    ;;
  add_subdirectory)
    copy_project
    build_with_cmake -DMAGPIE_SOURCE="$SOURCE"
    run_programs "$project/build"
    ;;
  pkg_config)
    copy_project
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name magpie.pc)")
    export PKG_CONFIG_PATH
    make -C "$project"
    run_programs "$project"
    ;;
  *) fail "no such kind: $kind" ;;
esac
