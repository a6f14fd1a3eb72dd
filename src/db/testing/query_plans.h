#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "db/database.h"
#include "db/testing/scratch_database.h"

namespace roadstead::db::testing {

/// Hands every statement on and remembers its text.
class RecordingSession final : public ReadSession {
 public:
  explicit RecordingSession(ReadSession& session) : session_(session) {}

  using ReadSession::each;
  Result<void> each(std::string_view sql, Params params,
                    const std::function<bool(const Row&)>& row) override;
  Time now() override { return session_.now(); }

  [[nodiscard]] const std::vector<std::string>& statements() const { return statements_; }

 private:
  ReadSession& session_;
  std::vector<std::string> statements_;
};

/// The plan of every statement that `read` runs, one step a line.
std::string plans_of(const ScratchDatabase& database,
                     const std::function<Result<void>(ReadSession&)>& read);
/// Of plans: the steps that walk a whole table or index, and those that sort.
std::string unbounded_steps(std::string_view plans);

}  // namespace roadstead::db::testing
