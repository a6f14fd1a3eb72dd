# cmake -DOUTPUT=<file.cpp> -DFILES=<a.sql,b.sql> -P embed_migrations.cmake: the SQL files as a table in C++.
string(REPLACE "," ";" files "${FILES}")
set(rows "")
foreach(file ${files})
  get_filename_component(stem ${file} NAME_WE)
  if(NOT stem MATCHES "^0*([1-9][0-9]*)_([a-z0-9_]+)$")
    message(FATAL_ERROR "a migration is named NNNN_name.sql, not ${file}")
  endif()
  set(version ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  file(READ ${file} text)
  string(APPEND rows "    Migration{${version}, \"${name}\", R\"migration(${text})migration\"},\n")
endforeach()
file(WRITE ${OUTPUT}
"// Made from db/migrations/ by the build.
#include \"db/migration.h\"

namespace roadstead::db {
namespace {
constexpr Migration kMigrations[] = {
${rows}};
}  // namespace

std::span<const Migration> embedded_migrations() {
  return kMigrations;
}
}  // namespace roadstead::db
")
