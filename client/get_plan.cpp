#include "client/get_plan.hpp"

#include "common/hasher.hpp"

namespace larder::client {

std::optional<Digest> digest_of_etag(std::string_view etag) {
  if (etag.size() < 2 || etag.front() != '"' || etag.back() != '"') return std::nullopt;
  return Digest::from_hex(etag.substr(1, etag.size() - 2));
}

std::vector<std::string> resume_headers(const Partial& partial) {
  if (!partial.can_resume()) return {};
  return {"Range: bytes=" + std::to_string(partial.bytes) + "-", "If-Range: " + partial.etag};
}

GetStep get_step(const Partial& partial, int status, std::string_view content_range) {
  const std::string expected = "bytes " + std::to_string(partial.bytes) + "-";
  switch (status) {
    case 200: return GetStep::restart;
    case 206: return content_range.starts_with(expected) ? GetStep::append : GetStep::refused;
    case 404:
    case 410: return GetStep::not_there;
    case 416: return GetStep::compare;
    default: return GetStep::refused;
  }
}

std::string partial_name(std::string_view url) {
  constexpr std::size_t k_digits = 24;
  return ".larder-" + Hasher::of(url).hex().substr(0, k_digits) + ".part";
}

}  // namespace larder::client
