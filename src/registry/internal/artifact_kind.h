#pragma once

#include <string>
#include <string_view>

#include "model/manifest.h"

namespace roadstead::registry::internal {

/// Harbor's artifact type: "IMAGE", "CHART", "SBOM", "CNAB", "WASM", …, derived from the media type
/// of the config (or the artifactType where the config is empty): the part between organisation
/// and ".config." in capitals; "UNKNOWN" when there is none.
std::string artifact_kind(const model::Manifest& manifest);

/// What the API shows as extra_attrs, as a JSON object: from an image's config the few members
/// Harbor shows, from other configs everything. `config` may be empty or no JSON.
std::string extra_attributes(const model::Manifest& manifest, std::string_view kind,
                             std::string_view config);

/// A JSON object of strings; "" when there are none.
std::string annotations_json(const std::vector<std::pair<std::string, std::string>>& annotations);
/// A descriptor as the JSON object it stood for, as far as we look at it.
std::string descriptor_json(const model::Descriptor& descriptor);

}  // namespace roadstead::registry::internal
