# Compile through ccache where it is installed; -DCMAKE_CXX_COMPILER_LAUNCHER= turns it off.
find_program(MAGPIE_CCACHE ccache)
mark_as_advanced(MAGPIE_CCACHE)
if(MAGPIE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this sloppiness it keeps nothing that is compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${MAGPIE_CCACHE}")
endif()
