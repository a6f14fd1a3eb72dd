#include "app/settings.h"

#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

namespace roadstead::app {
namespace {

class SettingsTest : public ::testing::Test {
 public:
  ~SettingsTest() override { std::filesystem::remove(path_); }

 protected:
  SettingSources from_file(const std::string& text) {
    std::ofstream(path_) << text;
    sources_.file = path_;
    sources_.environment = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    return sources_;
  }
  std::string message_of(const std::string& text) {
    const auto settings = load_settings(from_file(text));
    return settings ? "accepted" : settings.error().message;
  }

  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("roadstead-settings-" + std::to_string(::getpid()) + ".yml");
  SettingSources sources_;
  std::map<std::string, std::string, std::less<>> environment_;
};

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  environment_ = {{"ROADSTEAD_LOG_LEVEL", "warning"}, {"ROADSTEAD_LISTEN", "127.0.0.1:2, [::1]:3"}};
  SettingSources sources = from_file(
      "log: {level: debug, format: json}\nlisten: ['127.0.0.1:1']\ntoken:\n  lifetime: "
      "2h\ndata_dir: /d\ntls: {http2: no}\n"
      "registry: {free_space_floor: 1GiB, sparse_indexes: yes}\n");
  sources.flags["log.level"] = "error";
  const Settings settings = load_settings(sources).value();
  EXPECT_EQ(settings.log_level, "error");
  EXPECT_EQ(settings.log_format, "json");
  EXPECT_EQ(settings.listen, (std::vector<std::string>{"127.0.0.1:2", "[::1]:3"}));
  EXPECT_EQ(settings.token_lifetime, Seconds(7200));
  EXPECT_EQ(settings.free_space_floor.value, std::uint64_t{1} << 30U);
  EXPECT_TRUE(settings.sparse_indexes);
  EXPECT_FALSE(settings.tls_http2);
  EXPECT_EQ(settings.idle_time, Seconds(75));
  EXPECT_EQ(settings.database_url, "sqlite:/d/roadstead.db");
}

TEST_F(SettingsTest, MistakesNameFileLineAndKey) {
  const std::string file = path_.string();
  EXPECT_EQ(message_of("data_dir: /d\nlisten_on: x\n"), file + ":2: listen_on: unknown key");
  EXPECT_EQ(message_of("log:\n  levle: x\n"), file + ":2: log.levle: unknown key");
  EXPECT_EQ(message_of("limits:\n  io_threads: many\n"),
            file + ":2: limits.io_threads: expected a whole number, got \"many\"");
  EXPECT_EQ(message_of("limits: {header_time: 0}\n"),
            file + ":1: limits.header_time: must be between 1 and 3600");
  EXPECT_EQ(message_of("log: 3\n"), file + ":1: log: expected a map of keys");
  EXPECT_EQ(message_of("data_dir: [a]\n"),
            file + ":1: data_dir: expected a single value, got a list");
  EXPECT_EQ(message_of("data_dir: {a: b}\n"), file + ":1: data_dir: expected a value, got a map");
  EXPECT_EQ(message_of("data_dir: a\ndata_dir: b\n"), file + ":2: data_dir: given twice");
  EXPECT_NE(message_of("a: [\n").find(file + ":2: syntax"), std::string::npos);
  EXPECT_EQ(message_of("- a\n"), file + ": top level: expected a map of keys");
}

TEST_F(SettingsTest, TheWholeIsChecked) {
  EXPECT_NE(message_of("tls: {certificate: /c}\n").find("must be given together"),
            std::string::npos);
  EXPECT_NE(message_of("external_url: registry.example\n").find("external_url"), std::string::npos);
  EXPECT_NE(message_of("log: {format: xml}\n").find("must be one of text, json"),
            std::string::npos);
  EXPECT_NE(message_of("listen: nowhere\n").find("expected host:port"), std::string::npos);
  EXPECT_NE(message_of("database_url: mysql://x\n").find("database_url"), std::string::npos);
  EXPECT_EQ(message_of("external_url: https://registry.example/\n"), "accepted");
  EXPECT_EQ(message_of(""), "accepted");
}

TEST_F(SettingsTest, SecretsAreMasked) {
  const Settings settings = load_settings(from_file("admin_password: Sesame-1234\n")).value();
  const std::string shown = show_settings(settings);
  EXPECT_EQ(shown.find("Sesame"), std::string::npos);
  EXPECT_NE(shown.find("admin_password: \"***\""), std::string::npos);
  // What is shown can be read back.
  EXPECT_EQ(message_of(shown), "accepted") << shown;
}

TEST_F(SettingsTest, PasswordsInUrlsAreMasked) {
  const std::string url = "redis+sentinel://:Sesame@a,b/main/0?sentinel_password=Sesame";
  const std::string shown = show_settings(load_settings(from_file("redis_url: " + url)).value());
  EXPECT_EQ(shown.find("Sesame"), std::string::npos);
  EXPECT_NE(shown.find("redis_url: \"redis+sentinel://:***@a,b/main/0?sentinel_password=***\"\n"),
            std::string::npos)
      << shown;
  EXPECT_EQ(message_of(shown), "accepted") << shown;
  EXPECT_NE(message_of("redis_url: http://:Sesame@a\n").find("redis_url: redis URL: must begin"),
            std::string::npos);
  EXPECT_EQ(message_of("redis_url: http://:Sesame@a\n").find("Sesame"), std::string::npos);
}

TEST(HostPort, TakesAddressesApart) {
  EXPECT_EQ(parse_host_port("[::1]:443").value().host, "::1");
  EXPECT_EQ(parse_host_port(":5000").value().host, "0.0.0.0");
  EXPECT_FALSE(parse_host_port("::1:443"));
  EXPECT_FALSE(parse_host_port("host:65536"));
  EXPECT_TRUE(is_loopback("127.0.0.53"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
}

TEST_F(SettingsTest, BlobsMayBeInAnObjectStore) {
  const Settings settings =
      load_settings(from_file("data_dir: /d\nstorage_url: 's3://bucket/p?endpoint=http://h:9000'\n"
                              "storage: {redirect: size, redirect_min_size: 4MiB, cache_size: 1GiB,"
                              " redirect_except_networks: [10.0.0.0/8]}\n"))
          .value();
  EXPECT_EQ(settings.storage_redirect_min_size.value, 4U << 20U);
  EXPECT_EQ(settings.storage_cache_dir, "/d/cache");
  EXPECT_EQ(settings.storage_redirect_except_networks, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_EQ(load_settings(from_file("data_dir: /d\n")).value().storage_redirect, "off");
  for (const auto& [text, named] : std::map<std::string, std::string>{
           {"storage_url: 's3://bucket?secret=x'", "storage_url: s3 URL: unknown parameter"},
           {"storage_url: 'http://bucket'", "storage_url: expected file:DIRECTORY or s3://"},
           {"storage: {redirect: sometimes}",
            "storage.redirect: must be one of off, always, size"}}) {
    EXPECT_NE(message_of(text).find(named), std::string::npos) << message_of(text);
  }
}

}  // namespace
}  // namespace roadstead::app
