#include "redis/reply.h"

namespace roadstead::redis {

Result<std::vector<std::int64_t>> Reply::integers(std::size_t size) const {
  const Error unexpected{Code::kInternal, Subject::kNone, "redis: an unexpected answer", {}};
  if (kind != Kind::kList || list.size() != size) {
    return unexpected;
  }
  std::vector<std::int64_t> numbers;
  for (const Reply& element : list) {
    if (element.kind != Kind::kInteger) {
      return unexpected;
    }
    numbers.push_back(element.integer);
  }
  return numbers;
}

}  // namespace roadstead::redis
