#include "storage/s3_tree.h"

#include <algorithm>

#include "base/text.h"
#include "storage/internal/s3_reader.h"
#include "storage/internal/s3_xml.h"

namespace roadstead::storage {
namespace {

using internal::HttpAnswer;
using internal::NamedValues;
using internal::S3Call;
using internal::S3Reader;

constexpr std::size_t kPageMax = 1'000;

Error absent_or(const Error& error, const std::string& file) {
  return error.code == Code::kNotFound
             ? Error{Code::kNotFound, Subject::kStorage, "there is no such object", file}
             : error;
}

Error unexpected(std::string message) {
  return Error{Code::kUnavailable, Subject::kStorage, std::move(message), {}};
}

/// The name of "<area><name>/". Errors: kUnavailable + kStorage when it is another one.
Result<std::string> name_in(std::string_view area, std::string_view listed) {
  if (!listed.starts_with(area) || !listed.ends_with('/') || listed.size() <= area.size()) {
    return unexpected("the object store listed what it was not asked for");
  }
  return std::string(listed.substr(area.size(), listed.size() - area.size() - 1));
}

}  // namespace

struct S3Tree::State {
  explicit State(const S3Options& options) : client(options) {}

  [[nodiscard]] std::string key(const std::string& path) const {
    return client.options().prefix + path;
  }
  Result<std::unique_ptr<S3Reader>> open(const std::string& file) {
    auto opened = S3Reader::open(client, key(file), Reading::kWhole);
    if (!opened) {
      return absent_or(opened.error(), file);
    }
    return opened;
  }

  internal::S3Client client;
  // The file that is being read, and how.
  std::string reading;
  std::unique_ptr<S3Reader> reader;
};

S3Tree::S3Tree(const S3Options& options) : state_(std::make_unique<State>(options)) {}

S3Tree::~S3Tree() = default;

Result<S3Tree::Page> S3Tree::folders(const std::string& folder, const std::string& cursor,
                                     std::size_t count) {
  const std::string area = state_->key(folder) + '/';
  S3Call call{S3Operation::kList, "GET"};
  call.query = {{"list-type", "2"},
                {"prefix", area},
                {"delimiter", "/"},
                {"max-keys", std::to_string(std::min(count, kPageMax))}};
  if (!cursor.empty()) {
    call.query.emplace_back("continuation-token", cursor);
  }
  const HttpAnswer answer = TRY(state_->client.demand(call));
  internal::ObjectPage listed = TRY(internal::parse_objects(answer.body));
  Page page;
  for (const std::string& prefix : listed.prefixes) {
    std::string name = TRY(name_in(area, prefix));
    // Keys with "//" have a part without a name; no path of ours leads there.
    if (!name.empty()) {
      page.names.push_back(std::move(name));
    }
  }
  if (!listed.next.empty() && listed.next == cursor) {
    return unexpected("the object store lists the same page again and again");
  }
  page.next = std::move(listed.next);
  return page;
}

Result<S3Tree::Status> S3Tree::stat(const std::string& file) {
  const auto answer = state_->client.demand({S3Operation::kHead, "HEAD", state_->key(file)});
  if (!answer) {
    return absent_or(answer.error(), file);
  }
  const auto size = parse_uint64(answer->header("content-length"));
  const auto modified_at = internal::parse_http_date(answer->header("last-modified"));
  if (!size || !modified_at) {
    return unexpected("the object store does not say how large or how old an object is");
  }
  return Status{*size, *modified_at};
}

Result<std::string> S3Tree::read(const std::string& file, std::size_t size_max) {
  const auto reader = TRY(state_->open(file));
  if (reader->size() > size_max) {
    return Error{Code::kTooLarge, Subject::kStorage,
                 "it is larger than " + std::to_string(size_max) + " bytes", file};
  }
  std::string content(reader->size(), '\0');
  TRY(reader->read_at(0, std::as_writable_bytes(std::span(content))));
  return content;
}

Result<std::size_t> S3Tree::read_at(const std::string& file, std::uint64_t offset,
                                    std::span<std::byte> into) {
  // From the beginning it is looked at anew: it may have become another one.
  if (!state_->reader || offset == 0 || file != state_->reading) {
    state_->reader.reset();
    state_->reader = TRY(state_->open(file));
    state_->reading = file;
  }
  const auto got = state_->reader->read_at(offset, into);
  // Neither what has ended nor what has failed holds a connection.
  if (!got || *got < into.size()) {
    state_->reader.reset();
  }
  return got;
}

}  // namespace roadstead::storage
