#include "backup/internal/prune.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backup/internal/blob_list.h"
#include "sys/file.h"

namespace roadstead::backup::internal {
namespace {

/// Removes each file of databases/ whose stamp `goes`.
template <typename Goes>
Result<void> remove_copies(const Layout& layout, Goes&& goes) {
  const auto names = TRY(sys::list_directory(layout.databases()));
  for (const std::string& name : names) {
    if (goes(name.substr(0, name.find('Z') + 1))) {
      TRY(sys::remove(layout.databases() / name));
    }
  }
  return {};
}

/// The lists of all kept copies, read side by side: each is sorted, so those of one folder of
/// content are next to each other in every list.
class KeptContent {
 public:
  static Result<KeptContent> open(const Layout& layout, const std::vector<std::string>& stamps) {
    KeptContent kept;
    for (const std::string& stamp : stamps) {
      kept.lists_.push_back({TRY(BlobListReader::open(layout.blobs(stamp))), {}});
      TRY(advance(kept.lists_.back()));
    }
    return kept;
  }

  /// File names that must stay in the folder; folders have to be asked for in order.
  Result<std::set<std::string>> in(std::string_view algorithm, std::string_view prefix) {
    const std::string begin = std::string(algorithm) + ":" + std::string(prefix);
    std::set<std::string> names;
    for (List& list : lists_) {
      while (list.next && list.next->digest.to_string().compare(0, begin.size(), begin) <= 0) {
        if (list.next->digest.to_string().starts_with(begin)) {
          names.emplace(list.next->digest.hex());
        }
        TRY(advance(list));
      }
    }
    return names;
  }

 private:
  struct List {
    BlobListReader reader;
    std::optional<RequiredBlob> next;
  };
  static Result<void> advance(List& list) {
    list.next = TRY(list.reader.next());
    return {};
  }
  std::vector<List> lists_;
};

Result<std::vector<std::string>> sorted_names(const std::filesystem::path& folder) {
  auto names = TRY(sys::list_directory(folder));
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::int64_t> prune_folder(const std::filesystem::path& folder,
                                  const std::set<std::string>& kept) {
  std::int64_t removed = 0;
  const auto names = TRY(sys::list_directory(folder));
  for (const std::string& name : names) {
    if (!kept.contains(name)) {
      TRY(sys::remove(folder / name));
      ++removed;
    }
  }
  return removed;
}

}  // namespace

Result<void> discard_unfinished(const Layout& layout) {
  std::string finished;
  const auto summary = read_summary(layout);
  if (summary) {
    finished = summary->stamp;
  } else if (summary.error().code != Code::kNotFound) {
    return summary.error();
  }
  return remove_copies(layout, [&](const std::string& stamp) { return stamp > finished; });
}

Result<std::int64_t> prune(const Layout& layout, std::size_t keep) {
  auto stamps = TRY(list_stamps(layout));
  if (stamps.size() > keep) {
    stamps.erase(stamps.begin(), stamps.end() - static_cast<std::ptrdiff_t>(keep));
  }
  TRY(remove_copies(layout, [&](const std::string& stamp) {
    return std::find(stamps.begin(), stamps.end(), stamp) == stamps.end();
  }));
  std::int64_t removed = 0;
  if (!TRY(sys::exists(layout.content()))) {
    return removed;
  }
  KeptContent kept = TRY(KeptContent::open(layout, stamps));
  const auto algorithms = TRY(sorted_names(layout.content()));
  for (const std::string& algorithm : algorithms) {
    const auto prefixes = TRY(sorted_names(layout.content() / algorithm));
    for (const std::string& prefix : prefixes) {
      const auto names = TRY(kept.in(algorithm, prefix));
      removed += TRY(prune_folder(layout.content() / algorithm / prefix, names));
    }
  }
  return removed;
}

}  // namespace roadstead::backup::internal
