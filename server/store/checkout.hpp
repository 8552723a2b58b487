// A view of a namespace in a directory outside the store, as `cp -al` makes one.
#pragma once

#include <string>

namespace larder {

enum class CheckoutMode { link, reflink, copy };

struct CheckoutOptions {
  CheckoutOptions() = default;

  std::string snapshot;  // empty: the live namespace
  std::string name_space;
  CheckoutMode mode = CheckoutMode::link;
  bool update = false;        // the directory may be a view of the same already
  bool remove_extra = false;  // and ends as the namespace is: what else is there goes
};

}  // namespace larder
