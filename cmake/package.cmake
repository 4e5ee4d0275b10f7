# The installed package: libraries, public headers, a CMake package and a pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/magpie")

install(TARGETS magpie_scheduler magpie_runtime magpie_combinators
  EXPORT magpieTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT magpieTargets NAMESPACE magpie:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/magpieConfig.cmake.in
  "${PROJECT_BINARY_DIR}/magpieConfig.cmake" INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break its users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/magpieConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/magpieConfig.cmake" "${PROJECT_BINARY_DIR}/magpieConfigVersion.cmake"
  DESTINATION "${package_dir}")

# The prefix is told relative to the file itself, so the installed tree may be moved.
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pkgconfig_to_prefix "/prefix/${pkgconfig_dir}" "/prefix")
string(REGEX REPLACE "/$" "" pkgconfig_to_prefix "${pkgconfig_to_prefix}")
configure_file(cmake/magpie.pc.in "${PROJECT_BINARY_DIR}/magpie.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/magpie.pc" DESTINATION "${pkgconfig_dir}")
