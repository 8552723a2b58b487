// The file that tokens are kept in, and the only code that knows its format (ARCHITECTURE.md,
// "The token file"). The daemon and `larderd token` may change it at the same time.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/access/token.hpp"

namespace larder {

using TokenRecords = std::vector<TokenRecord>;

std::string encode_tokens(const TokenRecords& records);
// Errc::corrupt names the line: a foreign first line, a field that is missing or makes no sense,
// an id or a name for the second time, a count at the end that is another.
Result<TokenRecords> decode_tokens(std::string_view text);

class TokenFile {
 public:
  explicit TokenFile(std::filesystem::path file) : file_(std::move(file)) {}

  const std::filesystem::path& path() const { return file_; }

  // No file: no tokens. Errc::corrupt, Errc::io.
  Result<TokenRecords> read() const;

  // Reads, has `change` make of it what it likes (an error changes nothing), and puts the new
  // file in the place of the old one: whole, synced, mode 0600, and owned by whoever owns the data
  // directory. Others who change it wait.
  Result<void> change(const std::function<Result<void>(TokenRecords&)>& change) const;

  // Changes when the file does; 0: there is none.
  std::string stamp() const;

 private:
  Result<void> write(const TokenRecords& records) const;

  const std::filesystem::path file_;
};

}  // namespace larder
