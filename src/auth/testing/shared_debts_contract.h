#pragma once

#include <functional>

#include "auth/shared_debts.h"

namespace roadstead::auth::testing {

/// What every implementation does, on two replicas that share what they owe and owe nothing yet.
/// Expectations of GoogleTest; takes some tenths of a second, as debts are paid by waiting.
void check_shared_debts(SharedDebts& one, SharedDebts& other,
                        const std::function<void(SharedDebts::Milliseconds)>& wait);

}  // namespace roadstead::auth::testing
