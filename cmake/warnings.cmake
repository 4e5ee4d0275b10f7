# Every target of this tree is compiled with these, the generated checks of public headers included.
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow)
set(CMAKE_COMPILE_WARNING_AS_ERROR ${MAGPIE_WARNINGS_AS_ERRORS})
