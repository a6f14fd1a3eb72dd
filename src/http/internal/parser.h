#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace roadstead::http {

inline constexpr std::size_t kTargetBytesMax = std::size_t{16} << 10U;

struct HeadLimits {
  std::size_t bytes_max = std::size_t{64} << 10U;
  std::size_t fields_max = 200;
};

/// Why the edge answers a request itself. `reason` has static lifetime.
struct Refusal {
  int status = 400;
  std::string_view reason;
};

/// Start line and header section of a request, with the fields that steer the connection decoded.
/// Views into the parsed bytes.
struct Head {
  Method method = Method::kOther;
  std::string_view method_name;
  std::string_view target;  ///< Origin form, also when it was sent in absolute form.
  std::string_view path;
  std::string_view query;
  std::string_view host;  ///< From the absolute form if there is one, as RFC 9112 demands.
  std::string_view user_agent;
  std::string_view request_id;  ///< X-Request-Id as sent, unchecked.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = false;
  bool expect_continue = false;
};

/// Strict RFC 9112 parser for the head of one request. Whatever two implementations could read
/// differently is refused: bare LF, folded lines, blanks before the colon, two lengths, two Hosts.
class HeadParser {
 public:
  enum class State { kIncomplete, kComplete, kRefused };

  /// `received` is everything that came since the start of the message; called again with more
  /// bytes while kIncomplete. Fills `head` and `fields` with views into `received` when complete,
  /// and as far as the start line could be read when refused.
  State feed(std::string_view received, const HeadLimits& limits, Head& head,
             std::vector<HeaderField>& fields);
  /// Bytes of the head, blank line included, once complete.
  [[nodiscard]] std::size_t size() const { return scanned_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  void reset() { *this = HeadParser(); }

 private:
  State refuse(int status, std::string_view reason);
  State refuse_early(std::string_view received, int status, std::string_view reason, Head& head);
  State parse(std::string_view received, const HeadLimits& limits, Head& head,
              std::vector<HeaderField>& fields);
  bool parse_start_line(std::string_view line, Head& head);
  bool parse_target(std::string_view target, Head& head);
  bool parse_field(std::string_view line, HeaderField& field);
  bool interpret(const HeaderField& field, Head& head);
  bool interpret_length(std::string_view value, Head& head);
  bool interpret_coding(std::string_view value, Head& head);
  bool interpret_expectation(std::string_view value, Head& head);
  void interpret_connection(std::string_view value);
  bool conclude(Head& head);

  std::size_t start_ = 0;     ///< Where the start line begins: behind tolerated empty lines.
  std::size_t scanned_ = 0;   ///< Everything before is whole lines.
  std::size_t searched_ = 0;  ///< No LF in [scanned_, searched_).
  std::size_t hosts_ = 0;
  std::size_t codings_ = 0;
  bool version_1_1_ = false;
  bool absolute_form_ = false;
  bool close_ = false;
  Refusal refusal_;
};

}  // namespace roadstead::http
