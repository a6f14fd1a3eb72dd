#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "model/manifest.h"

/// Private to the module: the pieces of a manifest, read strictly from JSON. `path` is the place in
/// the document for messages: "layers[3].digest". All errors are kInvalid + kManifest.
namespace roadstead::model::reader {

using Annotations = std::vector<std::pair<std::string, std::string>>;

Error refuse(std::string message, std::string detail = {});
Error wrong_type(const std::string& path, std::string_view wanted, const json::Value& got);
/// A member that was left out may also be written as null: clients in Go do so for empty lists.
bool given(const json::Value& value);
/// Empty when not given.
Result<std::string> optional_string(const json::Value& value, const std::string& path);
Result<Annotations> read_annotations(const json::Value& value, const std::string& path);
Result<Descriptor> read_descriptor(const json::Value& value, const std::string& path);
Result<std::optional<Descriptor>> optional_descriptor(const json::Value& value,
                                                      const std::string& path);
/// At most kManifestReferencesMax; empty when not given.
Result<std::vector<Descriptor>> descriptor_list(const json::Value& value, const std::string& path);

}  // namespace roadstead::model::reader
