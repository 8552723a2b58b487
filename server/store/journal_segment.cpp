#include "server/store/journal_segment.hpp"

#include <algorithm>

#include "common/hasher.hpp"

namespace larder {
namespace {

constexpr std::string_view k_magic = "larder upload journal 1\n";
constexpr std::size_t k_header_size = k_magic.size() + 8 + 2 * Digest::k_bytes;

// In front of a record: length of the description, length of the body, chain.
constexpr std::size_t k_chain_at = 8;
constexpr std::size_t k_prefix_size = k_chain_at + Digest::k_bytes;
// What no upload comes near; a length beyond it is none.
constexpr std::uint64_t k_most_description = 1 << 20;
constexpr std::uint64_t k_most_body = 64 << 20;

void add_number(std::string& bytes, std::uint64_t value, int width) {
  for (int byte = 0; byte < width; ++byte) bytes.push_back(static_cast<char>(value >> (8 * byte)));
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, int width) {
  std::uint64_t value = 0;
  for (int byte = width; byte-- > 0;)
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + static_cast<std::size_t>(byte)]);
  return value;
}

Digest link_of(const Digest& chain, std::string_view lengths, std::string_view description) {
  Hasher hasher;
  hasher.update(chain.raw());
  hasher.update(lengths);
  hasher.update(description);
  return hasher.finish();
}

// As much as there is.
Result<std::string> read_piece(File& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  LARDER_TRY_ASSIGN(const std::size_t count, file.read_at(offset, std::as_writable_bytes(std::span(bytes))));
  bytes.resize(count);
  return bytes;
}

}  // namespace

std::size_t size_of_journal_header() {
  return k_header_size;
}

std::string encode_journal_header(const JournalHeader& header) {
  std::string bytes(k_magic);
  add_number(bytes, header.epoch, 8);
  bytes.append(header.seed.raw());
  bytes.append(Hasher::of(bytes).raw());
  return bytes;
}

std::optional<JournalHeader> decode_journal_header(std::string_view bytes) {
  if (bytes.size() != k_header_size || !bytes.starts_with(k_magic)) return std::nullopt;
  const std::string_view content = bytes.substr(0, k_header_size - Digest::k_bytes);
  if (bytes.substr(content.size()) != Hasher::of(content).raw()) return std::nullopt;
  JournalHeader header;
  header.epoch = number_at(bytes, k_magic.size(), 8);
  header.seed = Digest::from_bytes(bytes.substr(k_magic.size() + 8, Digest::k_bytes)).value_or(Digest());
  return header;
}

std::string encode_journal_record(std::string_view key, const NameRecord& name) {
  const std::string row = encode(name);
  std::string bytes;
  bytes.reserve(k_prefix_size + 4 + key.size() + row.size());
  add_number(bytes, 4 + key.size() + row.size(), 4);
  add_number(bytes, name.size, 4);
  bytes.append(Digest::k_bytes, '\0');
  add_number(bytes, key.size(), 4);
  bytes.append(key).append(row);
  return bytes;
}

Digest chain_journal_record(std::string& head, const Digest& chain) {
  const std::string_view whole = head;
  const auto description = static_cast<std::size_t>(number_at(whole, 0, 4));
  const Digest next = link_of(chain, whole.substr(0, k_chain_at), whole.substr(k_prefix_size, description));
  std::copy_n(next.raw().data(), Digest::k_bytes, head.data() + k_chain_at);
  return next;
}

Result<std::optional<JournalContent>> read_journal_segment(File& file) {
  LARDER_TRY_ASSIGN(const std::string head, read_piece(file, 0, k_header_size));
  const auto header = decode_journal_header(head);
  if (!header) return std::optional<JournalContent>();
  JournalContent content;
  content.header = *header;
  Digest chain = header->seed;
  for (std::uint64_t at = k_first_journal_record;;) {
    LARDER_TRY_ASSIGN(const std::string prefix, read_piece(file, at, k_prefix_size));
    if (prefix.size() < k_prefix_size) break;
    const std::uint64_t description_size = number_at(prefix, 0, 4);
    const std::uint64_t body_size = number_at(prefix, 4, 4);
    if (description_size < 4 || description_size > k_most_description || body_size > k_most_body) break;
    LARDER_TRY_ASSIGN(const std::string description,
                      read_piece(file, at + k_prefix_size, static_cast<std::size_t>(description_size)));
    if (description.size() < description_size) break;
    chain = link_of(chain, std::string_view(prefix).substr(0, k_chain_at), description);
    if (std::string_view(prefix).substr(k_chain_at) != chain.raw()) break;

    JournalRecord record;
    record.body_at = at + k_prefix_size + description_size;
    const std::uint64_t key_size = number_at(description, 0, 4);
    if (key_size > description.size() - 4) break;
    record.key = description.substr(4, static_cast<std::size_t>(key_size));
    const auto name = decode_name(std::string_view(description).substr(4 + record.key.size()));
    if (!name || name->size != body_size) break;
    record.name = *name;
    LARDER_TRY_ASSIGN(const std::string body,
                      read_piece(file, record.body_at, static_cast<std::size_t>(body_size)));
    at = record.body_at + body_size;
    // The chain leads over a body that is not what it was: those behind it may have been acknowledged.
    const bool whole = body.size() == body_size && Hasher::of(body) == name->digest;
    if (whole) content.records.push_back(std::move(record));
  }
  return std::optional(std::move(content));
}

}  // namespace larder
