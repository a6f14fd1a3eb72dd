#include "importer/report.h"

#include <array>

#include <fmt/format.h>

namespace roadstead::importer {
namespace {

struct Counter {
  std::string_view name;
  std::int64_t ImportReport::* value;
};
constexpr std::array kCounters{
    Counter{"repositories", &ImportReport::repositories},
    Counter{"manifests", &ImportReport::manifests},
    Counter{"manifests_present", &ImportReport::manifests_present},
    Counter{"tags", &ImportReport::tags},
    Counter{"tags_moved", &ImportReport::tags_moved},
    Counter{"tags_present", &ImportReport::tags_present},
    Counter{"tags_kept", &ImportReport::tags_kept},
    Counter{"blobs", &ImportReport::blobs},
    Counter{"bytes", &ImportReport::bytes},
    Counter{"copied", &ImportReport::copied},
    Counter{"problem_count", &ImportReport::problem_count},
};

}  // namespace

std::string to_json(const ImportReport& report, std::size_t size_max) {
  json::Writer w;
  w.begin_object();
  for (const Counter& counter : kCounters) {
    w.member(counter.name, report.*counter.value);
  }
  w.member("at", report.at);
  w.key("problems");
  w.begin_array();
  constexpr std::size_t kRest = 1'024;  // Of everything else.
  std::size_t size = kRest;
  for (const std::string& problem : report.problems) {
    const std::string quoted = json::quote(problem);
    size += quoted.size() + 1;
    if (size > size_max) {
      break;
    }
    w.raw(quoted);
  }
  w.end_array();
  w.end_object();
  return w.take();
}

ImportReport report_from(json::Value json) {
  ImportReport report;
  for (const Counter& counter : kCounters) {
    report.*counter.value = json[counter.name].as_int().value_or(0);
  }
  report.at = json["at"].as_string().value_or("");
  const json::Value problems = json["problems"];
  for (std::size_t i = 0; i < problems.size(); ++i) {
    report.problems.emplace_back(problems.at(i).as_string().value_or(""));
  }
  return report;
}

std::string to_text(const ImportReport& report) {
  std::string text = fmt::format(
      "imported {} repositories: {} manifests and {} tags are new, {} and {} were here\n"
      "{} blobs of {} bytes are new; {} of them were copied\n",
      report.repositories, report.manifests, report.tags, report.manifests_present,
      report.tags_present, report.blobs, report.bytes, report.copied);
  if (report.tags_moved > 0) {
    text += fmt::format("{} tags were moved\n", report.tags_moved);
  }
  if (report.tags_kept > 0) {
    text += fmt::format(
        "{} tags name something else here and stay where they are (--move-tags moves them)\n",
        report.tags_kept);
  }
  for (const std::string& problem : report.problems) {
    text += fmt::format("PROBLEM: {}\n", problem);
  }
  if (report.problem_count > 0) {
    text += fmt::format("{} problems: what they name was not imported\n", report.problem_count);
  }
  return text;
}

std::string progress_line(const ImportReport& report) {
  return fmt::format("{} repositories, {} manifests, {} tags, {} problems; at {}\n",
                     report.repositories, report.manifests + report.manifests_present,
                     report.tags + report.tags_present, report.problem_count, report.at);
}

}  // namespace roadstead::importer
