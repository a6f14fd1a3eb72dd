#include "db/testing/query_plans.h"

#include "base/text.h"

namespace roadstead::db::testing {

Result<void> RecordingSession::each(std::string_view sql, Params params,
                                    const std::function<bool(const Row&)>& row) {
  statements_.emplace_back(sql);
  return session_.each(sql, params, row);
}

std::string plans_of(const ScratchDatabase& database,
                     const std::function<Result<void>(ReadSession&)>& read) {
  std::vector<std::string> statements;
  const auto outcome = database->read([&](ReadSession& session) -> Result<void> {
    RecordingSession recording(session);
    Result<void> result = read(recording);
    statements = recording.statements();
    return result;
  });
  if (!outcome) {
    return describe(outcome.error());
  }
  std::string plans;
  for (const std::string& statement : statements) {
    plans += database.explain(statement);
  }
  return plans;
}

std::string unbounded_steps(std::string_view plans) {
  std::string found = plans.empty() ? "nothing was read" : "";
  for (const std::string_view step : split(plans, '\n')) {
    if (step.find("SCAN") != std::string_view::npos ||
        step.find("TEMP B-TREE") != std::string_view::npos) {
      found.append(step).append("\n");
    }
  }
  return found;
}

}  // namespace roadstead::db::testing
