# bench_rivals_rust: what Cargo.toml beside this file lists, by Debian's cargo from Debian's crates.
find_program(MAGPIE_CARGO cargo PATHS /usr/bin NO_DEFAULT_PATH)
mark_as_advanced(MAGPIE_CARGO)
foreach(crate rayon tokio)
  file(GLOB found "/usr/share/cargo/registry/${crate}-1.*")
  if(NOT MAGPIE_CARGO)
    set(why "no cargo from Debian")
  elseif(NOT found)
    set(why "no librust-${crate}-dev")
  else()
    continue()
  endif()
  magpie_bench_leave_out(rayon "${why}")
  magpie_bench_leave_out(tokio "${why}")
  return()
endforeach()

# The crates that are installed decide, not those of an earlier run.
file(REMOVE "${CMAKE_CURRENT_LIST_DIR}/Cargo.lock")
set(rust_folder "${CMAKE_CURRENT_BINARY_DIR}/rust")
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/Cargo.toml" rust_programs REGEX "^name = \"bench_")
list(TRANSFORM rust_programs REPLACE "^name = \"(.*)\"$" "${rust_folder}/release/\\1")
# cargo itself finds out what is to be done, so it runs each time.
add_custom_target(bench_rivals_rust ALL
  COMMAND "${CMAKE_COMMAND}" -E env
    "CARGO_HOME=${rust_folder}/home" "CARGO_TARGET_DIR=${rust_folder}" RUSTC=/usr/bin/rustc
    --unset=RUSTFLAGS --unset=RUSTC_WRAPPER
    "${MAGPIE_CARGO}" build --release --quiet
  COMMAND "${CMAKE_COMMAND}" -E copy_if_different ${rust_programs} "${CMAKE_CURRENT_BINARY_DIR}"
  WORKING_DIRECTORY "${CMAKE_CURRENT_LIST_DIR}"
  COMMENT "Building the Rust programs"
  VERBATIM)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_LIST_DIR}/Cargo.toml")
