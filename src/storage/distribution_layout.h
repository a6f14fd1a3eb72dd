#pragma once

#include "model/digest.h"
#include "storage/blob_store.h"

namespace roadstead::storage {

/// Where a store keeps content that CNCF distribution or Harbor left in it. Whether there is any is
/// another question: stat().
Location location_in_distribution_layout(const model::Digest& digest);
/// Whether a location is such a one. A store publishes there only in the place of what was there
/// before it, so what no row names may be all that is left of another registry.
bool in_distribution_layout(const Location& location);

}  // namespace roadstead::storage
