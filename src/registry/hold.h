#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "db/database.h"

namespace roadstead::registry {

/// Keeps what a snapshot of the database refers to: while a hold has not expired the collector
/// condemns, but removes nothing, so the order for whoever copies an installation is: take_hold(),
/// then the snapshot, then the content it names, renewing on the way. A hold ends by itself, so
/// that a copy which crashed does not stop collection for ever.
inline constexpr std::chrono::seconds kHoldMax{3600};

/// A new hold for at most kHoldMax; its id. `owner` is for people who ask what keeps content. Rows
/// that expired are removed on the way.
Result<std::string> take_hold(db::WriteSession& session, std::string_view owner,
                              std::chrono::seconds duration);
/// Extends it from now on. Errors: kNotFound + kNone when it has expired or was released: content
/// may have gone meanwhile, so what rests on it has failed.
Result<void> renew_hold(db::WriteSession& session, std::string_view id,
                        std::chrono::seconds duration);
/// An absent one is success.
Result<void> release_hold(db::WriteSession& session, std::string_view id);
/// Whether anybody holds content now. To be asked in the transaction that removes something.
Result<bool> any_hold(db::ReadSession& session);

}  // namespace roadstead::registry
