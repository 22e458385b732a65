# cmake --install: the library with its headers, what find_package and pkg-config need, the program. All of it may be moved after installing.
include(CMakePackageConfigHelpers)

set(PLANNER_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/planner)

install(TARGETS planner EXPORT planner-targets FILE_SET HEADERS)
if(TARGET planner_c)
  install(TARGETS planner_c EXPORT planner-targets FILE_SET HEADERS)
endif()
install(EXPORT planner-targets NAMESPACE planner:: DESTINATION ${PLANNER_CMAKE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# A static library hands its own dependencies on to the program that is linked.
get_target_property(type planner TYPE)
if(type STREQUAL "STATIC_LIBRARY")
  set(PLANNER_STATIC ON)
  set(PLANNER_PC_REQUIRES "fmt, yaml-cpp")
else()
  set(PLANNER_STATIC OFF)
  set(PLANNER_PC_REQUIRES "")
endif()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/planner-config.cmake.in ${PROJECT_BINARY_DIR}/planner-config.cmake
  INSTALL_DESTINATION ${PLANNER_CMAKE_DIR} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/planner-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/planner-config.cmake ${PROJECT_BINARY_DIR}/planner-config-version.cmake DESTINATION ${PLANNER_CMAKE_DIR})

# GNUInstallDirs' folders may be absolute; then the .pc file names them as they are.
set(PLANNER_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(ABSOLUTE_PATH PLANNER_PC_DIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE pc_dir)
file(RELATIVE_PATH PLANNER_PC_TO_PREFIX ${pc_dir} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" PLANNER_PC_TO_PREFIX "${PLANNER_PC_TO_PREFIX}")
foreach(dir LIBDIR INCLUDEDIR)
  set(PLANNER_PC_${dir} "${CMAKE_INSTALL_${dir}}")
  if(NOT IS_ABSOLUTE "${PLANNER_PC_${dir}}")
    string(PREPEND PLANNER_PC_${dir} "\${prefix}/")
  endif()
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/planner.pc.in ${PROJECT_BINARY_DIR}/planner.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/planner.pc DESTINATION ${PLANNER_PC_DIR})

if(TARGET planner-cli)
  # The installed program finds a shared library beside itself, wherever both are moved to.
  file(RELATIVE_PATH bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  if(APPLE)
    set_target_properties(planner-cli PROPERTIES INSTALL_RPATH "@loader_path/${bin_to_lib}")
  else()
    set_target_properties(planner-cli PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
  endif()
  install(TARGETS planner-cli)
  if(TARGET planner-serve)
    install(TARGETS planner-serve)
  endif()
endif()
