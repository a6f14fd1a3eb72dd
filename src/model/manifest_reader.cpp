#include "model/manifest_reader.h"

#include <algorithm>

namespace roadstead::model::reader {

Error refuse(std::string message, std::string detail) {
  return {Code::kInvalid, Subject::kManifest, std::move(message), std::move(detail)};
}

Error wrong_type(const std::string& path, std::string_view wanted, const json::Value& got) {
  return refuse(path + " must be " + std::string(wanted) + ", not " + std::string(got.type_name()),
                path);
}

bool given(const json::Value& value) {
  return value.present() && !value.is_null();
}

Result<std::string> optional_string(const json::Value& value, const std::string& path) {
  if (!given(value)) {
    return std::string();
  }
  const auto text = value.as_string();
  if (!text) {
    return wrong_type(path, "a string", value);
  }
  return std::string(*text);
}

namespace {

// RFC 6838 allows 127 characters on either side of the slash.
constexpr std::size_t kMediaTypeSizeMax = 255;

Result<std::vector<std::string>> string_list(const json::Value& value, const std::string& path) {
  std::vector<std::string> out;
  if (!given(value)) {
    return out;
  }
  if (!value.is_array()) {
    return wrong_type(path, "an array", value);
  }
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto text = value.at(i).as_string();
    if (!text) {
      return wrong_type(path + "[" + std::to_string(i) + "]", "a string", value.at(i));
    }
    out.emplace_back(*text);
  }
  return out;
}

}  // namespace

Result<Annotations> read_annotations(const json::Value& value, const std::string& path) {
  Annotations out;
  if (!given(value)) {
    return out;
  }
  if (!value.is_object()) {
    return wrong_type(path, "an object", value);
  }
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto text = value.value_at(i).as_string();
    if (!text) {
      return wrong_type(path + "." + std::string(value.name_at(i)), "a string", value.value_at(i));
    }
    out.emplace_back(value.name_at(i), *text);
  }
  return out;
}

namespace {

Result<std::optional<Platform>> read_platform(const json::Value& value, const std::string& path) {
  if (!given(value)) {
    return std::optional<Platform>();
  }
  if (!value.is_object()) {
    return wrong_type(path, "an object", value);
  }
  Platform platform;
  platform.architecture = TRY(optional_string(value["architecture"], path + ".architecture"));
  platform.os = TRY(optional_string(value["os"], path + ".os"));
  platform.os_version = TRY(optional_string(value["os.version"], path + ".os.version"));
  platform.os_features = TRY(string_list(value["os.features"], path + ".os.features"));
  platform.variant = TRY(optional_string(value["variant"], path + ".variant"));
  return std::optional<Platform>(std::move(platform));
}

Result<std::string> read_media_type(const json::Value& value, const std::string& path) {
  std::string text = TRY(optional_string(value, path));
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (text.empty() || text.size() > kMediaTypeSizeMax || !printable) {
    return refuse(path + " must be a media type of 1 to 255 characters", path);
  }
  return text;
}

Result<std::int64_t> read_size(const json::Value& value, const std::string& path) {
  const auto size = value.as_int();
  if (!size || *size < 0) {
    return refuse(path + " must be a whole number of bytes", path);
  }
  return *size;
}

Result<Digest> read_digest(const json::Value& value, const std::string& path) {
  const auto text = value.as_string();
  if (!text) {
    return wrong_type(path, "a digest", value);
  }
  auto digest = Digest::parse(*text);
  if (!digest) {
    return refuse(path + ": " + digest.error().message, digest.error().detail);
  }
  return digest;
}

}  // namespace

Result<Descriptor> read_descriptor(const json::Value& value, const std::string& path) {
  if (!value.is_object()) {
    return wrong_type(path, "an object", value);
  }
  // Each TRY stands alone: g++ forgets to destroy the parts of a half-made aggregate on its way
  // out.
  std::string media_type = TRY(read_media_type(value["mediaType"], path + ".mediaType"));
  Digest digest = TRY(read_digest(value["digest"], path + ".digest"));
  const std::int64_t size = TRY(read_size(value["size"], path + ".size"));
  Descriptor out{std::move(media_type), std::move(digest), size, {}, {}, {}, {}};
  out.artifact_type = TRY(optional_string(value["artifactType"], path + ".artifactType"));
  out.annotations = TRY(read_annotations(value["annotations"], path + ".annotations"));
  out.platform = TRY(read_platform(value["platform"], path + ".platform"));
  out.urls = TRY(string_list(value["urls"], path + ".urls"));
  return out;
}

Result<std::optional<Descriptor>> optional_descriptor(const json::Value& value,
                                                      const std::string& path) {
  if (!given(value)) {
    return std::optional<Descriptor>();
  }
  return std::optional<Descriptor>(TRY(read_descriptor(value, path)));
}

Result<std::vector<Descriptor>> descriptor_list(const json::Value& value, const std::string& path) {
  std::vector<Descriptor> out;
  if (!given(value)) {
    return out;
  }
  if (!value.is_array()) {
    return wrong_type(path, "an array", value);
  }
  if (value.size() > kManifestReferencesMax) {
    return refuse(path + " has more than " + std::to_string(kManifestReferencesMax) + " entries",
                  path);
  }
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    out.push_back(TRY(read_descriptor(value.at(i), path + "[" + std::to_string(i) + "]")));
  }
  return out;
}

}  // namespace roadstead::model::reader
