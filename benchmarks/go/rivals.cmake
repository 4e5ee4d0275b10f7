# bench_rivals_go: <kernel>/rival.go becomes bench_<kernel>_go, by Debian's Go.
find_program(MAGPIE_GO go PATHS /usr/bin NO_DEFAULT_PATH)
mark_as_advanced(MAGPIE_GO)
if(NOT MAGPIE_GO)
  magpie_bench_leave_out(go "no golang-go")
  return()
endif()

# What -march=native is to C++: Go knows levels of the architecture, and 3 is what it makes use of.
set(level v1)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo flags LIMIT_COUNT 1 REGEX "^flags.* avx2 ")
  if(flags MATCHES " fma " AND flags MATCHES " bmi2 " AND flags MATCHES " movbe ")
    set(level v3)
  endif()
endif()

file(GLOB go_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*/rival.go")
file(GLOB go_support CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/support/*.go")
set(go_programs)
foreach(source IN LISTS go_sources)
  cmake_path(GET source PARENT_PATH kernel)
  cmake_path(GET kernel FILENAME kernel)
  set(program "${CMAKE_CURRENT_BINARY_DIR}/bench_${kernel}_go")
  # A file is named, not its folder: Go refuses a package that lies among C++ sources.
  add_custom_command(OUTPUT "${program}"
    COMMAND "${CMAKE_COMMAND}" -E env
      "GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go" GOAMD64=${level} GOPROXY=off GOWORK=off
      GO111MODULE=on CGO_ENABLED=0 --unset=GOFLAGS --unset=GOROOT
      "${MAGPIE_GO}" build -o "${program}" "../${kernel}/rival.go"
    WORKING_DIRECTORY "${CMAKE_CURRENT_LIST_DIR}"
    DEPENDS "${source}" ${go_support} "${CMAKE_CURRENT_LIST_DIR}/go.mod"
    COMMENT "Building bench_${kernel}_go"
    VERBATIM)
  list(APPEND go_programs "${program}")
endforeach()
add_custom_target(bench_rivals_go ALL DEPENDS ${go_programs})
