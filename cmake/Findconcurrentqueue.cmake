# moodycamel's ConcurrentQueue, header only, as concurrentqueue::concurrentqueue.
# Debian's libconcurrentqueue-dev has neither a CMake package nor a pkg-config file.
find_path(concurrentqueue_INCLUDE_DIR concurrentqueue.h PATH_SUFFIXES concurrentqueue)
mark_as_advanced(concurrentqueue_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(concurrentqueue REQUIRED_VARS concurrentqueue_INCLUDE_DIR)

if(concurrentqueue_FOUND AND NOT TARGET concurrentqueue::concurrentqueue)
  add_library(concurrentqueue::concurrentqueue INTERFACE IMPORTED)
  target_include_directories(concurrentqueue::concurrentqueue
    INTERFACE "${concurrentqueue_INCLUDE_DIR}")
endif()
