# Warnings of our own targets; errors in our own builds.
function(planner_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough
                                           -Wno-missing-field-initializers)
  # GCC 12 sees overlapping copies in `"literal" + std::string` (bug 105651).
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(PLANNER_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
