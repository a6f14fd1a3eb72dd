#include <algorithm>

#include <fmt/format.h>

#include "registry/internal/place.h"
#include "registry/listing.h"

namespace roadstead::registry {
namespace {

/// Rows that one page of a filtered referrers list looks at; the page may then be short, and its
/// link goes on behind the last row looked at.
constexpr std::int64_t kReferrersScanMax = 1'000;
constexpr std::int64_t kCountMax = 10'000;
/// Annotations are copied into the list: a page ends when it has grown to this.
constexpr std::size_t kReferrersBytesMax = std::size_t{4} << 20U;

/// One more than asked for tells whether there is a next page.
Result<NamePage> read_names(db::ReadSession& session, std::string_view sql, db::Params params,
                            std::int64_t n) {
  NamePage page;
  TRY(session.each(sql, params, [&](const db::Row& row) {
    if (static_cast<std::int64_t>(page.names.size()) == n) {
      page.more = true;
      return false;
    }
    page.names.emplace_back(row.text(0));
    return true;
  }));
  return page;
}

}  // namespace

Result<NamePage> list_tags(db::ReadSession& session, const Caller& caller,
                           const model::RepositoryName& repository, std::int64_t n,
                           std::string_view last) {
  const internal::Place place = TRY(internal::find_place(session, caller, repository));
  if (!place.visible()) {
    return repository_unknown(repository);
  }
  n = std::clamp<std::int64_t>(n, 0, kNamesPageMax);
  if (n == 0) {
    return NamePage{};
  }
  const std::array<db::Param, 3> params{db::Param(*place.repository), db::Param(last),
                                        db::Param(n + 1)};
  return read_names(
      session, "SELECT name FROM tag WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
      params, n);
}

Result<NamePage> list_catalog(db::ReadSession& session, std::int64_t n, std::string_view last) {
  n = std::clamp<std::int64_t>(n, 0, kNamesPageMax);
  if (n == 0) {
    return NamePage{};
  }
  const std::array<db::Param, 2> params{db::Param(last), db::Param(n + 1)};
  return read_names(session,
                    "SELECT full_name FROM repository WHERE listed = 1 AND full_name > ? ORDER BY "
                    "full_name LIMIT ?",
                    params, n);
}

Result<ReferrerPage> list_referrers(db::ReadSession& session, const Caller& caller,
                                    const model::RepositoryName& repository,
                                    const model::Digest& subject, std::string_view artifact_type,
                                    ArtifactId after) {
  const internal::Place place = TRY(internal::find_place(session, caller, repository));
  ReferrerPage page;
  if (!place.repository) {
    return page;
  }
  std::int64_t scanned = 0;
  std::size_t bytes = 0;
  TRY(session.each(
      "SELECT a.id, a.artifact_type, f.media_type, a.digest, f.size, a.annotations FROM artifact a "
      "JOIN manifest f ON f.id = a.manifest_id WHERE a.repository_id = ? AND a.subject_digest = ? "
      "AND a.id > ? ORDER BY a.id LIMIT ?",
      {*place.repository, subject.to_string(), after, kReferrersScanMax + 1},
      [&](const db::Row& row) {
        const bool full = static_cast<std::int64_t>(page.referrers.size()) == kReferrersPageMax;
        if (full || bytes > kReferrersBytesMax || scanned == kReferrersScanMax) {
          page.next = after;
          return false;
        }
        ++scanned;
        after = row.id<ArtifactId>(0);
        if (artifact_type.empty() || row.text(1) == artifact_type) {
          bytes += row.text(5).size();
          page.referrers.push_back({after, std::string(row.text(2)), std::string(row.text(3)),
                                    row.integer(4), std::string(row.text(1)),
                                    std::string(row.text(5))});
        }
        return true;
      }));
  page.total = TRY(session.first("SELECT COUNT(*) FROM (SELECT 1 FROM artifact WHERE repository_id "
                                 "= ? AND subject_digest = ? LIMIT ?) counted",
                                 {*place.repository, subject.to_string(), kCountMax},
                                 [](const db::Row& row) { return row.integer(0); }))
                   .value_or(0);
  return page;
}

}  // namespace roadstead::registry
