# Checks of the code base that are no unit tests: arrows, headers, an installed library in somebody else's hands.
find_program(PLANNER_BASH bash REQUIRED)

add_test(NAME include_order COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/include_check.sh ${PROJECT_SOURCE_DIR})

# Each public header compiles alone. test.sh has them built before.
add_test(NAME headers_alone COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
set_tests_properties(headers_alone PROPERTIES RUN_SERIAL ON)

if(PLANNER_INSTALL AND TARGET planner-cli)
  add_test(NAME downstream COMMAND ${PLANNER_BASH} ${CMAKE_CURRENT_LIST_DIR}/downstream/run.sh ${PROJECT_BINARY_DIR}
    -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE})
  set_tests_properties(downstream PROPERTIES TIMEOUT 120)
endif()
