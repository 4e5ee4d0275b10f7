# What the three layers have in common.

# Lets a target spell private headers "<layer>/x.hpp". -iquote and not -I: <layer/x.hpp> stays an
# error. This option is never passed on, so whoever links a layer sees its public headers only.
function(magpie_private_headers target)
  target_compile_options(${target} PRIVATE "SHELL:-iquote \"${PROJECT_SOURCE_DIR}\"")
endfunction()

# magpie_layer(<layer> [COMPILED source...] HEADERS header...)
# makes the target magpie_<layer>, known to users as magpie::<layer>. A layer without COMPILED
# sources is an interface library.
function(magpie_layer layer)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "COMPILED;HEADERS")
  set(target magpie_${layer})
  if(arg_COMPILED)
    add_library(${target} STATIC ${arg_COMPILED})
    set(scope PUBLIC)
    magpie_private_headers(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(magpie::${layer} ALIAS ${target})

  target_compile_features(${target} ${scope} cxx_std_20)
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}" FILES ${arg_HEADERS})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${layer}
    VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
endfunction()
