# Checks of the code base that are no unit tests: arrows, headers, an installed library in somebody else's hands.
find_program(PLANNER_BASH bash REQUIRED)

add_test(NAME include_order COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/include_check.sh ${PROJECT_SOURCE_DIR})

# Each public header compiles alone. test.sh has them built before.
add_test(NAME headers_alone COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
set_tests_properties(headers_alone PROPERTIES RUN_SERIAL ON)

find_package(Python3 3.9 QUIET COMPONENTS Interpreter)
if(TARGET planner-serve AND Python3_FOUND)
  add_test(NAME serve COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/serve/check.py $<TARGET_FILE:planner-cli>)
  set_tests_properties(serve PROPERTIES TIMEOUT 120)
endif()

# The library from C and from Python.
if(TARGET planner_c)
  enable_language(C)
  find_package(Threads REQUIRED)
  add_executable(planner-c-test ${CMAKE_CURRENT_LIST_DIR}/c_api/main.c)
  set_target_properties(planner-c-test PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
  target_compile_options(planner-c-test PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${PLANNER_WERROR}>:-Werror>)
  target_link_libraries(planner-c-test PRIVATE planner_c Threads::Threads)
  add_test(NAME c_api COMMAND planner-c-test)

  execute_process(COMMAND ${Python3_EXECUTABLE} -m pip --version RESULT_VARIABLE no_pip OUTPUT_QUIET ERROR_QUIET)
  if(Python3_FOUND AND NOT no_pip)
    set(program $<$<TARGET_EXISTS:planner-cli>:$<TARGET_FILE:planner-cli>>)
    add_test(NAME python COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/c_api/run_python.sh $<TARGET_FILE:planner_c> ${CMAKE_CURRENT_LIST_DIR}/fixtures/logs/ik-cuda2-qwen3-235b.log ${program})
  else()
    message(STATUS "No Python 3 with pip: its package is not tested")
  endif()
endif()

# The examples of the documents print what stands there.
if(TARGET planner-cli)
  add_test(NAME docs_examples COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/docs_check.sh $<TARGET_FILE:planner-cli>)
endif()

if(PLANNER_INSTALL AND TARGET planner-cli)
  add_test(NAME downstream COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/downstream/run.sh ${PROJECT_BINARY_DIR}
    -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE})
  set_tests_properties(downstream PROPERTIES TIMEOUT 120)
endif()
