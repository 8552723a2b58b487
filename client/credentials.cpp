#include "client/credentials.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace larder::client {
namespace {

Result<std::string> checked(std::string token, const std::string& source) {
  constexpr std::size_t k_longest = 4096;  // bytes
  const auto is_odd = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7F; };
  if (token.empty()) return Error(Errc::invalid_argument, source + " holds no token");
  if (token.size() > k_longest || std::any_of(token.begin(), token.end(), is_odd))
    return Error(Errc::invalid_argument, source + " holds something else than one token");
  return token;
}

// The first line, which is all there should be.
Result<std::string> read_token(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) return posix_error("read", name, errno);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return checked(std::move(line), name);
}

}  // namespace

Result<std::string> find_token(const TokenSources& sources) {
  if (!sources.file.empty()) return read_token(sources.file);
  if (sources.url_has_password || !sources.variable) return std::string();
  const auto token = sources.variable("LARDER_TOKEN");
  if (token && !token->empty()) return checked(*token, "LARDER_TOKEN");
  const auto file = sources.variable("LARDER_TOKEN_FILE");
  if (file && !file->empty()) return read_token(*file);
  return std::string();
}

}  // namespace larder::client
