#include "api/oci/route.h"

namespace roadstead::api::oci {
namespace {

constexpr std::string_view kPrefix = "/v2/";

/// Splits "<head>/<last>"; an absent slash leaves `head` empty.
struct Halves {
  std::string_view head;
  std::string_view last;
};
Halves split_last(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return {{}, path};
  }
  return {path.substr(0, slash), path.substr(slash + 1)};
}

/// "<name>/blobs" → name, when the path ends like that.
std::optional<std::string_view> name_before(std::string_view path, std::string_view word) {
  const Halves halves = split_last(path);
  if (halves.last != word || halves.head.empty()) {
    return std::nullopt;
  }
  return halves.head;
}

}  // namespace

std::optional<ParsedPath> parse_path(std::string_view path) {
  if (!path.starts_with(kPrefix)) {
    return std::nullopt;
  }
  path.remove_prefix(kPrefix.size());
  if (path.empty()) {
    return ParsedPath{Shape::kBase, {}, {}};
  }
  if (path == "_catalog") {
    return ParsedPath{Shape::kCatalog, {}, {}};
  }
  const auto [rest, last] = split_last(path);
  if (const auto uploads = name_before(rest, "uploads")) {
    if (const auto name = name_before(*uploads, "blobs")) {
      return ParsedPath{last.empty() ? Shape::kUploads : Shape::kUpload, *name, last};
    }
  }
  if (const auto name = name_before(rest, "blobs")) {
    return ParsedPath{last == "uploads" ? Shape::kUploads : Shape::kBlob, *name, last};
  }
  if (const auto name = name_before(rest, "manifests")) {
    return ParsedPath{Shape::kManifest, *name, last};
  }
  if (const auto name = name_before(rest, "referrers")) {
    return ParsedPath{Shape::kReferrers, *name, last};
  }
  if (const auto name = name_before(rest, "tags"); name && last == "list") {
    return ParsedPath{Shape::kTags, *name, last};
  }
  return std::nullopt;
}

}  // namespace roadstead::api::oci
