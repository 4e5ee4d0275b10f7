# Every target of this tree is compiled with these, the generated checks of public headers included.
# -Wthread-safety, which only clang has, holds the code to what its locks are declared to guard.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
set(CMAKE_COMPILE_WARNING_AS_ERROR ${MAGPIE_WARNINGS_AS_ERRORS})
