#include "storage/internal/s3_xml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/text.h"

namespace roadstead::storage::internal {
namespace {

constexpr std::size_t kCodeMax = 64;

Error unexpected(std::string_view what) {
  return Error{Code::kUnavailable,
               Subject::kStorage,
               fmt::format("the object store answered something else than {}", what),
               {}};
}

/// The root element, if it has this name.
Result<pugi::xml_node> parse(pugi::xml_document& document, std::string_view xml, const char* root) {
  const auto parsed =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  const pugi::xml_node element = document.child(root);
  if (!parsed || !element) {
    return unexpected(root);
  }
  return element;
}

std::uint64_t number_of(const pugi::xml_node& node, const char* name) {
  return parse_uint64(node.child_value(name)).value_or(0);
}

Time time_of(const pugi::xml_node& node, const char* name) {
  // What cannot be read is new: nothing is taken for left behind by mistake.
  return parse_iso_time(node.child_value(name)).value_or(Time::max());
}

bool is_truncated(const pugi::xml_node& node) {
  return std::string_view(node.child_value("IsTruncated")) == "true";
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) {
    return std::nullopt;
  }
  const auto number = parse_uint64(text.substr(at, count));
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

struct CivilTime {
  std::optional<int> year, month, day, hour, minute, second;
  int micros = 0;

  [[nodiscard]] std::optional<Time> time() const {
    if (!year || !month || !day || !hour || !minute || !second) {
      return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) {
      return std::nullopt;
    }
    return Time(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
                std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
                std::chrono::microseconds(micros));
  }
};

}  // namespace

std::string error_code(std::string_view xml) {
  pugi::xml_document document;
  const auto root = parse(document, xml, "Error");
  std::string code = root ? root->child_value("Code") : "";
  // It ends up in logs and answers, and comes from elsewhere.
  const bool word = code.size() <= kCodeMax && std::all_of(code.begin(), code.end(), [](char c) {
                      return is_digit(c) || is_lower(c) || is_upper(c);
                    });
  return word ? code : "Unreadable";
}

Result<ObjectPage> parse_objects(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "ListBucketResult"));
  ObjectPage page;
  for (const pugi::xml_node& object : root.children("Contents")) {
    page.objects.push_back(
        {object.child_value("Key"), time_of(object, "LastModified"), number_of(object, "Size")});
  }
  for (const pugi::xml_node& common : root.children("CommonPrefixes")) {
    page.prefixes.emplace_back(common.child_value("Prefix"));
  }
  if (is_truncated(root)) {
    page.next = root.child_value("NextContinuationToken");
    if (page.next.empty()) {
      return unexpected("a list with a token for the next page");
    }
  }
  return page;
}

Result<UploadPage> parse_uploads(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "ListMultipartUploadsResult"));
  UploadPage page;
  for (const pugi::xml_node& upload : root.children("Upload")) {
    page.uploads.push_back(
        {upload.child_value("Key"), upload.child_value("UploadId"), time_of(upload, "Initiated")});
  }
  page.more = is_truncated(root);
  page.next_key = root.child_value("NextKeyMarker");
  page.next_id = root.child_value("NextUploadIdMarker");
  return page;
}

Result<PartPage> parse_parts(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "ListPartsResult"));
  PartPage page;
  for (const pugi::xml_node& part : root.children("Part")) {
    page.parts.push_back({number_of(part, "PartNumber"), part.child_value("ETag"),
                          number_of(part, "Size"), time_of(part, "LastModified")});
  }
  if (is_truncated(root)) {
    page.next = root.child_value("NextPartNumberMarker");
    if (page.next.empty()) {
      return unexpected("a list of parts with a marker for the next page");
    }
  }
  return page;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "InitiateMultipartUploadResult"));
  std::string id = root.child_value("UploadId");
  if (id.empty() || id.size() > 1024) {
    return unexpected("the id of a multipart upload");
  }
  return id;
}

Result<std::string> parse_delete_errors(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "DeleteResult"));
  for (const pugi::xml_node& error : root.children("Error")) {
    const std::string code = error.child_value("Code");
    if (code != "NoSuchKey") {
      return code.empty() ? "unknown" : code;
    }
  }
  return std::string();
}

Result<XmlCredentials> parse_assumed_role(std::string_view xml) {
  pugi::xml_document document;
  const auto root = TRY(parse(document, xml, "AssumeRoleWithWebIdentityResponse"));
  const pugi::xml_node found = root.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  const auto expires_at = parse_iso_time(found.child_value("Expiration"));
  XmlCredentials credentials{found.child_value("AccessKeyId"), found.child_value("SecretAccessKey"),
                             found.child_value("SessionToken"), expires_at.value_or(Time{})};
  if (credentials.access_key.empty() || credentials.secret_key.empty() || !expires_at) {
    return unexpected("credentials of a role");
  }
  return credentials;
}

std::optional<Time> parse_iso_time(std::string_view text) {
  if (text.size() < 20 || text.size() > 40 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text.back() != 'Z') {
    return std::nullopt;
  }
  CivilTime civil{digits(text, 0, 4),  digits(text, 5, 2),  digits(text, 8, 2),
                  digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2)};
  std::string_view fraction = text.substr(19, text.size() - 20);
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() == 1) {
      return std::nullopt;
    }
    std::string micros(fraction.substr(1, 6));
    micros.resize(6, '0');
    const auto parsed = digits(micros, 0, 6);
    if (!parsed) {
      return std::nullopt;
    }
    civil.micros = *parsed;
  }
  return civil.time();
}

std::optional<Time> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text[3] != ',' || !text.ends_with(" GMT")) {
    return std::nullopt;
  }
  std::optional<int> month;
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (text.substr(8, 3) == kMonths.at(i)) {
      month = static_cast<int>(i) + 1;
    }
  }
  return CivilTime{digits(text, 12, 4), month,
                   digits(text, 5, 2),  digits(text, 17, 2),
                   digits(text, 20, 2), digits(text, 23, 2)}
      .time();
}

std::string write_completion(const std::vector<std::string>& etags) {
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                       escape(etags[i]));
  }
  return xml + "</CompleteMultipartUpload>";
}

std::string write_deletion(const std::vector<std::string>& keys) {
  std::string xml = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const std::string& key : keys) {
    xml += fmt::format("<Object><Key>{}</Key></Object>", escape(key));
  }
  return xml + "</Delete>";
}

}  // namespace roadstead::storage::internal
