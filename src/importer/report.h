#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "importer/distribution.h"
#include "json/json.h"

namespace roadstead::importer {

/// One JSON object; problems stop where `size_max` bytes would be exceeded.
std::string to_json(const ImportReport& report, std::size_t size_max);
/// Back again: whoever prints it need not be who made it. What is absent is 0 or "".
ImportReport report_from(json::Value json);
/// For people, lines.
std::string to_text(const ImportReport& report);
/// One line while it runs.
std::string progress_line(const ImportReport& report);

}  // namespace roadstead::importer
