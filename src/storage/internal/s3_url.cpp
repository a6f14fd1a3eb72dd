#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "http/uri.h"
#include "storage/s3.h"

namespace roadstead::storage {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

Error bad(std::string_view what) {
  return Error{Code::kInvalid, Subject::kConfiguration, fmt::format("s3 URL: {}", what), {}};
}

bool all_of(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_digit(c) || is_lower(c) || is_upper(c) || also.find(c) != std::string_view::npos;
  });
}

Result<std::uint64_t> parse_size(std::string_view name, std::string_view text, std::uint64_t min,
                                 std::uint64_t max) {
  std::uint64_t unit = 1;
  for (const auto& [suffix, factor] : {std::pair<std::string_view, std::uint64_t>{"KiB", 1U << 10U},
                                       {"MiB", 1U << 20U},
                                       {"GiB", 1U << 30U}}) {
    if (text.ends_with(suffix)) {
      unit = factor;
      text = trim(text.substr(0, text.size() - suffix.size()));
    }
  }
  const auto number = parse_uint64(text);
  if (!number || *number > max / unit || *number * unit < min) {
    return bad(
        fmt::format("{} must be a size between {} and {} MiB", name, min / kMiB, max / kMiB));
  }
  return *number * unit;
}

Result<bool> parse_truth(std::string_view name, std::string_view text) {
  if (text == "true" || text == "false") {
    return text == "true";
  }
  return bad(fmt::format("{} must be true or false", name));
}

Result<std::string> parse_endpoint(std::string_view name, std::string_view text) {
  while (text.ends_with('/')) {
    text.remove_suffix(1);
  }
  const bool known = text.starts_with("https://") || text.starts_with("http://");
  const std::string_view host = known ? text.substr(text.find("//") + 2) : "";
  if (host.empty() || !all_of(host, ".-:[]")) {
    return bad(fmt::format("{} must be http://host[:port] or https://host[:port]", name));
  }
  return std::string(text);
}

/// Characters that need no escaping anywhere, so that keys read the same in every log and list.
Result<std::string> parse_prefix(std::string_view text) {
  while (text.starts_with('/')) {
    text.remove_prefix(1);
  }
  while (text.ends_with('/')) {
    text.remove_suffix(1);
  }
  if (!all_of(text, "/._-") || text.size() > 150 || text.find("//") != std::string_view::npos ||
      ("/" + std::string(text) + "/").find("/../") != std::string::npos ||
      ("/" + std::string(text) + "/").find("/./") != std::string::npos) {
    return bad("the prefix must be of letters, digits and . _ - /, 150 at most");
  }
  return text.empty() ? std::string() : std::string(text) + "/";
}

Result<void> assign(S3Options& options, std::string_view name, const std::string& value,
                    std::optional<bool>& path_style) {
  if (name == "endpoint") {
    options.endpoint = TRY(parse_endpoint(name, value));
  } else if (name == "public_endpoint") {
    options.public_endpoint = TRY(parse_endpoint(name, value));
  } else if (name == "region") {
    options.region = value;
  } else if (name == "path_style") {
    path_style = TRY(parse_truth(name, value));
  } else if (name == "part_size") {
    options.part_size = TRY(parse_size(name, value, 8 * kMiB, 512 * kMiB));
  } else if (name == "buffer") {
    options.buffer_max = TRY(parse_size(name, value, 16 * kMiB, std::uint64_t{1} << 40U));
  } else if (name == "sse") {
    if (value != "AES256" && value != "aws:kms") {
      return bad("sse must be AES256 or aws:kms");
    }
    options.server_side_encryption = value;
  } else if (name == "sse_kms_key") {
    options.kms_key = value;
  } else if (name == "storage_class") {
    options.storage_class = value;
  } else if (name == "ca") {
    options.ca_file = value;
  } else {
    return bad(fmt::format("unknown parameter \"{}\"", name));
  }
  return {};
}

/// What nobody said.
void complete(S3Options& options, std::optional<bool> path_style) {
  const auto variable = [&](std::string_view name) {
    return options.environment ? options.environment(name).value_or("") : std::string();
  };
  for (const std::string_view name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (options.region.empty()) {
      options.region = variable(name);
    }
  }
  if (options.region.empty()) {
    options.region = "us-east-1";
  }
  for (const std::string_view name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) {
    if (options.endpoint.empty()) {
      options.endpoint = variable(name);
    }
  }
  const bool amazon = options.endpoint.empty();
  if (amazon) {
    options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  }
  // A certificate for *.host does not cover a bucket with dots in its name.
  const bool dots = options.bucket.find('.') != std::string::npos;
  options.path_style = path_style.value_or(!amazon || dots);
}

}  // namespace

Result<S3Options> parse_s3_url(std::string_view url, Environment environment) {
  if (!url.starts_with(kScheme)) {
    return bad("expected s3://bucket/prefix?endpoint=…");
  }
  url.remove_prefix(kScheme.size());
  const std::size_t mark = std::min(url.find('?'), url.size());
  const std::string_view place = url.substr(0, mark);
  const std::size_t slash = std::min(place.find('/'), place.size());
  S3Options options;
  options.environment = std::move(environment);
  options.bucket = place.substr(0, slash);
  if (options.bucket.size() < 3 || options.bucket.size() > 255 || !all_of(options.bucket, ".-_")) {
    return bad("that is no name of a bucket");
  }
  options.prefix = TRY(parse_prefix(place.substr(slash)));
  std::optional<bool> path_style;
  const auto query = http::Query::parse(mark == url.size() ? "" : url.substr(mark + 1));
  if (!query) {
    return bad("its parameters cannot be read");
  }
  for (const auto& [name, value] : query->items()) {
    TRY(assign(options, name, value, path_style));
  }
  if (!all_of(options.region, "-_.")) {
    return bad("region must be of letters, digits and -");
  }
  if (!options.kms_key.empty() && options.server_side_encryption != "aws:kms") {
    return bad("sse_kms_key needs sse=aws:kms");
  }
  complete(options, path_style);
  TRY(parse_endpoint("AWS_ENDPOINT_URL", options.endpoint));
  return options;
}

}  // namespace roadstead::storage
