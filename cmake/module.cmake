# roadstead_module(NAME storage DEPS base sys model [LIBS OpenSSL::Crypto] SOURCES … HEADERS … [TESTS …] [TESTING …]
#                  [BENCHMARKS …])
#
# One static library per module. Sources are listed, never globbed. HEADERS are the module's public face and each
# must compile alone. DEPS names lower modules whose headers it may include; tools/check_layers reads the same list.
# TESTS become the program <name>_test and one ctest. TESTING names sources of contract suites in testing/ that other
# modules' tests link as roadstead_<name>_testing. BENCHMARKS become the program <name>_benchmark; `./x bench --micro`
# runs them. Tests and benchmarks may also use the modules of TEST_DEPS.
function(roadstead_module)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;LIBS;SOURCES;HEADERS;TESTS;TESTING;TEST_DEPS;TEST_LABELS;BENCHMARKS" ${ARGN})
  set(lib roadstead_${ARG_NAME})
  if(ARG_SOURCES)
    add_library(${lib} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${lib} INTERFACE)
    set(scope INTERFACE)
  endif()
  if(ROADSTEAD_FUZZ AND ARG_SOURCES)
    # The fuzzer steers by the coverage of the code under test, not only of its own file.
    target_compile_options(${lib} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  target_include_directories(${lib} ${scope} ${PROJECT_SOURCE_DIR}/src)
  foreach(dep ${ARG_DEPS})
    target_link_libraries(${lib} ${scope} roadstead_${dep})
  endforeach()
  target_link_libraries(${lib} ${scope} ${ARG_LIBS} fmt::fmt Threads::Threads)
  target_sources(${lib} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${ARG_HEADERS})
  set_target_properties(${lib} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  if(ARG_TESTING)
    add_library(${lib}_testing STATIC EXCLUDE_FROM_ALL ${ARG_TESTING})
    target_link_libraries(${lib}_testing PUBLIC ${lib} GTest::gtest GTest::gmock)
  endif()
  if(ARG_TESTS)
    set(test ${ARG_NAME}_test)
    add_executable(${test} ${ARG_TESTS})
    target_link_libraries(${test} PRIVATE ${lib} GTest::gtest GTest::gmock GTest::gtest_main)
    if(ARG_TESTING)
      target_link_libraries(${test} PRIVATE ${lib}_testing)
    endif()
    foreach(dep ${ARG_TEST_DEPS})
      target_link_libraries(${test} PRIVATE roadstead_${dep})
    endforeach()
    add_test(NAME ${test} COMMAND ${test})
    set_tests_properties(${test} PROPERTIES TIMEOUT 300 LABELS "unit;${ARG_TEST_LABELS}")
  endif()
  if(ARG_BENCHMARKS AND ROADSTEAD_BENCHMARKS)
    set(program ${ARG_NAME}_benchmark)
    add_executable(${program} ${ARG_BENCHMARKS})
    set_property(GLOBAL APPEND PROPERTY ROADSTEAD_BENCHMARK_PROGRAMS ${program})
    target_link_libraries(${program} PRIVATE ${lib} benchmark::benchmark benchmark::benchmark_main)
    if(ARG_TESTING)
      target_link_libraries(${program} PRIVATE ${lib}_testing)
    endif()
    foreach(dep ${ARG_TEST_DEPS})
      target_link_libraries(${program} PRIVATE roadstead_${dep})
    endforeach()
  endif()
endfunction()

# roadstead_fuzzer(NAME digest DEPS model SOURCES digest_fuzz.cpp): with clang a libFuzzer program fuzz_<name>;
# elsewhere the same source replays the committed corpus tests/fuzz/<name>/ as a ctest.
function(roadstead_fuzzer)
  cmake_parse_arguments(ARG "" "NAME" "DEPS;SOURCES" ${ARGN})
  set(target fuzz_${ARG_NAME})
  if(ROADSTEAD_FUZZ)
    add_executable(${target} ${ARG_SOURCES})
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${target} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${target}_corpus COMMAND ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/${ARG_NAME})
    set_tests_properties(${target}_corpus PROPERTIES LABELS "unit;fuzz")
  endif()
  foreach(dep ${ARG_DEPS})
    target_link_libraries(${target} PRIVATE roadstead_${dep})
  endforeach()
endfunction()

# roadstead_on_servers(registry [LABEL servers] [FILTER …]): the tests of that module once more, on each database server.
# With the label "databases" only `./x test --all` runs them.
function(roadstead_on_servers NAME)
  cmake_parse_arguments(ARG "" "LABEL;FILTER" "" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL databases)
  endif()
  if(NOT ARG_FILTER)
    set(ARG_FILTER *)
  endif()
  foreach(engine postgresql mariadb)
    add_test(
      NAME ${NAME}_${engine}
      COMMAND ${PROJECT_SOURCE_DIR}/tests/support/with_database.py ${engine} --
              ${CMAKE_COMMAND} -E env ROADSTEAD_TEST_DATABASE=${engine}
              $<TARGET_FILE:${NAME}_test> --gtest_filter=${ARG_FILTER})
    set_tests_properties(${NAME}_${engine} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 900 SKIP_RETURN_CODE 77)
  endforeach()
endfunction()
