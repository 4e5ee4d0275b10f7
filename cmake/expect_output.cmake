# cmake -Dprogram=... -Dexpected=FILE -P expect_output.cmake
# The program must succeed and print what the file holds. (ctest's PASS_REGULAR_EXPRESSION would
# leave the exit code, and so a sanitizer's report, out of account.)
execute_process(COMMAND "${program}" OUTPUT_VARIABLE output RESULT_VARIABLE result)
file(READ "${expected}" wanted)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${program} ended with ${result} and printed:\n${output}")
elseif(NOT output STREQUAL wanted)
  message(FATAL_ERROR "${program} printed:\n${output}\ninstead of:\n${wanted}")
endif()
