#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "http/internal/outgoing.h"
#include "http/internal/status.h"

namespace roadstead::http {

Outgoing::Part Outgoing::start_body(Response& response, const Framing& framing) {
  const Part part = choose_part(response, framing);
  if (framing.head_only || !status_has_body(status_)) {
    remaining_ = 0;
  }
  body_ = std::move(response.body());
  if (has_source()) {
    ahead_.start(offset_, remaining_);
  }
  return part;
}

std::uint64_t Outgoing::available() {
  return has_source() ? ahead_.ready().size() : remaining_;
}

bool Outgoing::copy_body(std::span<char> into) {
  if (const auto* region = std::get_if<FileRegion>(&body_)) {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got =
          ::pread(region->file->descriptor(), into.data() + done, into.size() - done,
                  static_cast<off_t>(region->offset + offset_ + done));
      if (got <= 0) {
        return false;  // Shorter than promised; the client must not take that for the whole.
      }
      done += static_cast<std::size_t>(got);
    }
  } else if (const auto* text = std::get_if<std::string>(&body_)) {
    std::memcpy(into.data(), text->data() + offset_, into.size());
  } else {
    std::memcpy(into.data(), ahead_.ready().data(), into.size());
    ahead_.sent(into.size());
  }
  offset_ += into.size();
  remaining_ -= into.size();
  body_sent_ += into.size();
  return true;
}

}  // namespace roadstead::http
