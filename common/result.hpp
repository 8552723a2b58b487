// A value, or the Error that kept it from being one. Test it, then use it:
//
//   auto entry = store.stat(key);
//   if (!entry) return entry.error();
//   use(entry->size);
//
// or let LARDER_TRY do the first two lines. Not inside coroutines, whose
// `co_return` has to be written out.
#pragma once

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "common/error.hpp"

namespace larder {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return *get(); }
  const T& value() const& { return *get(); }
  T&& value() && { return std::move(*get()); }
  T& operator*() & { return *get(); }
  const T& operator*() const& { return *get(); }
  T&& operator*() && { return std::move(*get()); }
  T* operator->() { return get(); }
  const T* operator->() const { return get(); }

  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  T* get() {
    assert(ok());
    return std::get_if<0>(&state_);
  }
  const T* get() const {
    assert(ok());
    return std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }

  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace larder

#define LARDER_CONCAT_INNER(a, b) a##b
#define LARDER_CONCAT(a, b) LARDER_CONCAT_INNER(a, b)

// Returns the error of `expression` from the enclosing function, if it has one.
#define LARDER_TRY(expression)                        \
  do {                                                \
    const auto& larder_result = (expression);         \
    if (!larder_result) return larder_result.error(); \
  } while (false)

// LARDER_TRY_ASSIGN(auto entry, store.stat(key));
#define LARDER_TRY_ASSIGN(declaration, expression)                                                      \
  auto LARDER_CONCAT(larder_result_, __LINE__) = (expression);                                          \
  if (!LARDER_CONCAT(larder_result_, __LINE__)) return LARDER_CONCAT(larder_result_, __LINE__).error(); \
  declaration = std::move(LARDER_CONCAT(larder_result_, __LINE__)).value()
