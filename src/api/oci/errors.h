#pragma once

#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "http/message.h"

namespace roadstead::api::oci {

/// Status and identifier of the distribution specification ("Error Codes") for an Error.
struct Answer {
  int status = 500;
  std::string_view code;
};
Answer answer_for(const Error& error);

/// {"errors":[{"code","message","detail"}]} with the headers every answer has. Details of a 5xx go
/// to the log only. Refusals (401) repeat their message, as clients of Harbor know it.
http::Response error_response(const Error& error, const log::Logger& logger);

/// One error with a status of its own choice.
http::Response plain_error(int status, std::string_view code, std::string_view message);

}  // namespace roadstead::api::oci
