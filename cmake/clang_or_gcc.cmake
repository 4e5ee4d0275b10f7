# A toolchain file: clang 19, the reference compiler, where it is installed, else g++.
find_program(MAGPIE_CLANG clang++-19)
mark_as_advanced(MAGPIE_CLANG)
if(MAGPIE_CLANG)
  set(CMAKE_CXX_COMPILER "${MAGPIE_CLANG}")
else()
  set(CMAKE_CXX_COMPILER g++)
endif()
