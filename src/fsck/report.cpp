#include "fsck/report.h"

#include <fmt/format.h>

namespace roadstead::fsck {
namespace {

std::string finding_json(const Finding& finding) {
  json::Writer writer;
  writer.begin_object();
  writer.member("kind", finding.kind);
  writer.member("object", finding.object);
  if (!finding.detail.empty()) {
    writer.member("detail", finding.detail);
  }
  writer.member("repaired", finding.repaired);
  writer.end_object();
  return writer.take();
}

std::int64_t number(json::Value object, std::string_view name) {
  return object[name].as_int().value_or(0);
}

}  // namespace

void Report::add(Finding finding) {
  ++found_;
  Total& total = totals_[finding.kind];
  ++total.found;
  if (finding.repaired) {
    ++repaired_;
    ++total.repaired;
  }
  if (findings_.size() < kFindingsMax) {
    findings_.push_back(std::move(finding));
  }
}

std::string to_json(const Report& report, std::size_t size_max) {
  json::Writer writer;
  writer.begin_object();
  writer.member("found", report.found());
  writer.member("repaired", report.repaired());
  writer.member("rows", report.rows);
  writer.member("blobs", report.blobs);
  writer.member("files", report.files);
  writer.member("bytes", report.bytes);
  writer.key("kinds");
  writer.begin_object();
  std::size_t size = 1'024;  // What stands around the findings.
  for (const auto& [kind, total] : report.totals()) {
    writer.key(kind);
    writer.begin_object();
    writer.member("found", total.found);
    writer.member("repaired", total.repaired);
    writer.end_object();
    size += kind.size() + 64;
  }
  writer.end_object();
  writer.key("findings");
  writer.begin_array();
  std::size_t written = 0;
  for (const Finding& finding : report.findings()) {
    const std::string text = finding_json(finding);
    size += text.size() + 1;
    if (size > size_max) {
      break;
    }
    writer.raw(text);
    ++written;
  }
  writer.end_array();
  writer.member("truncated", written < report.found());
  writer.end_object();
  return writer.take();
}

Result<std::string> to_text(json::Value report) {
  if (!report["found"].as_int()) {
    return Error{Code::kInvalid, Subject::kRequest, "not the report of a check", {}};
  }
  std::string text;
  const json::Value findings = report["findings"];
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const json::Value finding = findings.at(i);
    const std::string_view detail = finding["detail"].as_string().value_or("");
    text += fmt::format(
        "{}{}: {}{}{}{}\n", finding["repaired"].as_bool().value_or(false) ? "repaired " : "",
        finding["kind"].as_string().value_or(""), finding["object"].as_string().value_or(""),
        detail.empty() ? "" : " (", detail, detail.empty() ? "" : ")");
  }
  if (report["truncated"].as_bool().value_or(false)) {
    text += "… and more\n";
  }
  const json::Value kinds = report["kinds"];
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    text += fmt::format("{}: {} found, {} repaired\n", kinds.name_at(i),
                        number(kinds.value_at(i), "found"), number(kinds.value_at(i), "repaired"));
  }
  text +=
      fmt::format("looked at {} rows, {} blobs, {} files; read {} bytes\n", number(report, "rows"),
                  number(report, "blobs"), number(report, "files"), number(report, "bytes"));
  const std::int64_t found = number(report, "found");
  const std::int64_t repaired = number(report, "repaired");
  if (found == 0) {
    return text + "everything is as it should be\n";
  }
  return text +
         fmt::format("{} findings, {} repaired, {} remain\n", found, repaired, found - repaired);
}

}  // namespace roadstead::fsck
