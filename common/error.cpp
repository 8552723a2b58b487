#include "common/error.hpp"

#include <cerrno>
#include <system_error>

namespace larder {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::not_found: return "not-found";
    case Errc::exists: return "exists";
    case Errc::conflict: return "conflict";
    case Errc::precondition: return "precondition-failed";
    case Errc::invalid_name: return "invalid-name";
    case Errc::invalid_argument: return "invalid-argument";
    case Errc::digest_mismatch: return "digest-mismatch";
    case Errc::too_large: return "too-large";
    case Errc::no_space: return "no-space";
    case Errc::too_many_links: return "too-many-links";
    case Errc::not_supported: return "not-supported";
    case Errc::forbidden: return "forbidden";
    case Errc::corrupt: return "corrupt";
    case Errc::busy: return "busy";
    case Errc::cancelled: return "cancelled";
    case Errc::io: return "io";
  }
  return "unknown";
}

Error Error::within(std::string_view doing) const {
  return Error(code_, "while " + std::string(doing) + ": " + message_);
}

namespace {

Errc code_of(int error_number) {
  switch (error_number) {
    case ENOENT: return Errc::not_found;
    case EEXIST: return Errc::exists;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case EMLINK: return Errc::too_many_links;
    case EXDEV:
    case EOPNOTSUPP:
    case ENOSYS: return Errc::not_supported;
    case EACCES:
    case EPERM:
    case EROFS: return Errc::forbidden;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY: return Errc::conflict;
    case ENAMETOOLONG:
    case ELOOP: return Errc::invalid_name;
    case EFBIG: return Errc::too_large;
    default: return Errc::io;
  }
}

}  // namespace

Error posix_error(std::string_view operation, std::string_view subject, int error_number) {
  std::string text = "cannot ";
  text.append(operation).append(" ").append(subject).append(": ");
  text += std::generic_category().message(error_number);
  return Error(code_of(error_number), std::move(text));
}

}  // namespace larder
