# Our own builds use ccache where it is. Paths are hashed relative to the checkout, so that all checkouts share what was compiled once.
if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_GENERATOR MATCHES "Visual Studio|Xcode")
  find_program(PLANNER_CCACHE ccache)
  if(PLANNER_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${PLANNER_CCACHE})
  endif()
endif()
