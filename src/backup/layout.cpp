#include "backup/internal/layout.h"

#include <algorithm>

#include <fmt/format.h>

#include "json/json.h"
#include "sys/file.h"

namespace roadstead::backup::internal {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kSummaryMax = std::size_t{64} << 10U;

bool is_stamp(std::string_view text) {
  return text.size() > 1 && text.ends_with('Z') &&
         text.find_first_not_of("0123456789T.Z") == std::string_view::npos;
}

Error broken(const Layout& layout) {
  return Error{Code::kInvalid,
               Subject::kStorage,
               layout.summary().string() + " is not the summary of a backup",
               {}};
}

}  // namespace

std::filesystem::path Layout::database(std::string_view stamp) const {
  return databases() / fmt::format("{}.db", stamp);
}

std::filesystem::path Layout::blobs(std::string_view stamp) const {
  return databases() / fmt::format("{}.blobs", stamp);
}

std::filesystem::path Layout::prefix(const model::Digest& digest) const {
  return content() / crypto::to_string(digest.algorithm()) / digest.hex().substr(0, 2);
}

std::filesystem::path Layout::content(const model::Digest& digest) const {
  return prefix(digest) / digest.hex();
}

std::string stamp_of(Time time) {
  std::string stamp = format_rfc3339(time);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  return fmt::format("{}{:03}Z", stamp, to_micros(time) % 1000);
}

Result<std::vector<std::string>> list_stamps(const Layout& layout) {
  std::vector<std::string> stamps;
  const auto names = TRY(sys::list_directory(layout.databases()));
  for (const std::string& name : names) {
    constexpr std::string_view kSuffix = ".blobs";
    const std::string stamp = name.substr(0, name.size() - std::min(name.size(), kSuffix.size()));
    if (name.ends_with(kSuffix) && is_stamp(stamp)) {
      stamps.push_back(stamp);
    }
  }
  std::sort(stamps.begin(), stamps.end());
  return stamps;
}

Result<Summary> read_summary(const Layout& layout) {
  const auto text = sys::read_file(layout.summary(), kSummaryMax);
  if (!text && text.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 Subject::kStorage,
                 layout.root().string() + " holds no finished backup",
                 {}};
  }
  if (!text) {
    return text.error();
  }
  const auto document = json::Document::parse(*text);
  if (!document) {
    return broken(layout);
  }
  const json::Value root = document->root();
  const auto format = root["format"].as_int();
  if (format && *format > kFormat) {
    return Error{Code::kUnsupported,
                 Subject::kStorage,
                 layout.root().string() + " was written by a newer version of this program",
                 {}};
  }
  const auto text_of = [&](std::string_view name) {
    return std::string(root[name].as_string().value_or(""));
  };
  Summary summary{text_of("database"),
                  text_of("version"),
                  text_of("created_at"),
                  root["content"].as_bool().value_or(false),
                  root["blobs"].as_int().value_or(-1),
                  root["bytes"].as_int().value_or(-1)};
  if (!format || !is_stamp(summary.stamp) || summary.blobs < 0 || summary.bytes < 0) {
    return broken(layout);
  }
  return summary;
}

Result<void> write_summary(const Layout& layout, const Summary& summary) {
  json::Writer w;
  w.begin_object();
  w.member("format", kFormat);
  w.member("version", summary.version);
  w.member("created_at", summary.created_at);
  w.member("database", summary.stamp);
  w.member("content", summary.content);
  w.member("blobs", summary.blobs);
  w.member("bytes", summary.bytes);
  w.end_object();
  return sys::replace_file(layout.summary(), w.take() + "\n");
}

}  // namespace roadstead::backup::internal
