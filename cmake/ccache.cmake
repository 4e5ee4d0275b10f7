# Compile through ccache where it is installed; -DCMAKE_CXX_COMPILER_LAUNCHER= turns it off.
find_program(MAGPIE_CCACHE ccache)
mark_as_advanced(MAGPIE_CCACHE)
if(MAGPIE_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_CURRENT_LIST_DIR}/ccache.sh")
endif()
