#include "auth/principal.h"

namespace roadstead::auth {

std::string Principal::label() const {
  switch (kind) {
    case Kind::kAnonymous:
      return "anonymous";
    case Kind::kUser:
      return "user:" + name;
  }
  return {};
}

}  // namespace roadstead::auth
