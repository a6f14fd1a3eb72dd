#include "app/trash_commands.h"

#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/admin.h"
#include "app/opening.h"
#include "app/trash_requests.h"
#include "base/log.h"
#include "json/json.h"

namespace roadstead::app {
namespace {

constexpr std::chrono::seconds kAnswerTime{60};

/// Without a server: the data directory is ours meanwhile.
Result<std::string> answer_directly(const Settings& settings, std::string_view request) {
  const auto stopped = TRY(StoppedInstallation::open(settings));
  auth::PasswordPool passwords(auth::PasswordPool::Options{});
  auth::UserStore users(stopped->database(), passwords);
  const registry::Options options = TRY(registry_options(settings));
  return answer_trash_request({stopped->database(), users, options}, request).value_or("{}");
}

Result<std::string> ask(const Settings& settings, std::string_view request) {
  auto answer = ask_server(settings, request, kAnswerTime);
  if (!answer && answer.error().code == Code::kNotFound) {
    answer = read_answer(TRY(answer_directly(settings, request)));
  }
  const json::Document document = TRY(std::move(answer));
  return std::string(document.root()["text"].as_string().value_or(""));
}

}  // namespace

struct TrashCommands::Parts {
  CLI::App* trash = nullptr;
  CLI::App* list = nullptr;
  CLI::App* restore = nullptr;
  CLI::App* restore_tag = nullptr;
  std::string project;
  std::string repository;
  std::int64_t page = 1;
  std::string artifact;
  std::string tag;
  std::string digest;
  bool move_tags = false;
  bool move = false;

  [[nodiscard]] std::string request() const;
};

std::string TrashCommands::Parts::request() const {
  json::Writer w;
  w.begin_object();
  if (list->parsed()) {
    w.member("command", "trash-list");
    w.member("project", project);
    w.member("repository", repository);
    w.member("page", page);
  } else if (restore->parsed()) {
    const std::size_t at = artifact.find('@');
    w.member("command", "trash-restore");
    w.member("repository", artifact.substr(0, at));
    w.member("digest", at == std::string::npos ? std::string() : artifact.substr(at + 1));
    w.member("move", move_tags);
  } else {
    const std::size_t colon = tag.find(':');
    w.member("command", "trash-restore-tag");
    w.member("repository", tag.substr(0, colon));
    w.member("tag", colon == std::string::npos ? std::string() : tag.substr(colon + 1));
    w.member("digest", digest);
    w.member("move", move);
  }
  w.end_object();
  return w.take();
}

TrashCommands::TrashCommands(CLI::App& app, const std::function<void(CLI::App&)>& add_settings)
    : parts_(std::make_unique<Parts>()) {
  Parts& p = *parts_;
  p.trash = app.add_subcommand("trash", "look at what was deleted, and bring it back");
  p.trash->require_subcommand(1);
  p.list = p.trash->add_subcommand("list", "deleted artifacts that can be restored, newest first");
  p.list->add_option("--project", p.project, "project")->required();
  p.list->add_option("--repository", p.repository, "project/path; all of the project by default");
  p.list->add_option("--page", p.page, "page of 50")->capture_default_str();
  add_settings(*p.list);
  p.restore = p.trash->add_subcommand("restore", "restore an artifact with its tags");
  p.restore->add_option("artifact", p.artifact, "project/path@digest")->required();
  p.restore->add_flag("--move-tags", p.move_tags, "take tags back that name something else by now");
  add_settings(*p.restore);
  p.restore_tag = p.trash->add_subcommand("restore-tag", "give a tag back what it named");
  p.restore_tag->add_option("tag", p.tag, "project/path:tag")->required();
  p.restore_tag->add_option("--digest", p.digest,
                            "something it named before (default: when it was deleted)");
  p.restore_tag->add_flag("--move", p.move, "although it names something else now");
  add_settings(*p.restore_tag);
}

TrashCommands::~TrashCommands() = default;

bool TrashCommands::named() const {
  return parts_->trash->parsed();
}

int TrashCommands::run(const std::function<Result<Settings>()>& load,
                       const CommandEnvironment& environment) {
  const auto settings = load();
  const auto text =
      settings ? ask(*settings, parts_->request()) : Result<std::string>(settings.error());
  if (!text) {
    environment.print_error(fmt::format("roadstead: {}\n", text.error().message));
    return text.error().subject == Subject::kConfiguration ? 2 : 1;
  }
  environment.print(*text);
  return 0;
}

}  // namespace roadstead::app
