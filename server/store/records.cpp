#include "server/store/records.hpp"

#include <limits>

namespace larder {
namespace {

constexpr std::uint8_t k_version = 1;

class Writer {
 public:
  Writer() { byte(k_version); }

  Writer& byte(std::uint8_t value) {
    bytes_.push_back(static_cast<char>(value));
    return *this;
  }
  Writer& number(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  Writer& time(UnixSeconds value) { return number(static_cast<std::uint64_t>(value)); }
  Writer& digest(const Digest& value) {
    bytes_.append(value.raw());
    return *this;
  }
  Writer& text(std::string_view value) {
    const auto length = static_cast<std::uint32_t>(value.size());
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(length >> shift));
    bytes_.append(value);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what Writer wrote. After the first thing that does not fit, every read
// answers zero and finished() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {
    if (byte() != k_version) sound_ = false;
  }

  std::uint8_t byte() {
    const std::string_view raw = take(1);
    return raw.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(raw.front());
  }
  std::uint64_t number() { return little_endian(take(8)); }
  UnixSeconds time() { return static_cast<UnixSeconds>(number()); }
  Digest digest() { return Digest::from_bytes(take(Digest::k_bytes)).value_or(Digest()); }
  std::string text() {
    const std::uint64_t length = little_endian(take(4));
    return std::string(take(length));
  }
  bool flag() {
    const std::uint8_t value = byte();
    if (value > 1) sound_ = false;
    return value == 1;
  }
  bool finished() const { return sound_ && rest_.empty(); }

 private:
  std::string_view take(std::uint64_t length) {
    if (!sound_ || length > rest_.size()) {
      sound_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  static std::uint64_t little_endian(std::string_view raw) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i)
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(raw[i])) << (8 * i);
    return value;
  }

  std::string_view rest_;
  bool sound_ = true;
};

template <typename Record>
std::optional<Record> when_finished(const Reader& reader, Record record) {
  if (!reader.finished()) return std::nullopt;
  return record;
}

}  // namespace

std::string_view name_of(LedgerAction action) {
  switch (action) {
    case LedgerAction::put: return "put";
    case LedgerAction::replace: return "replace";
    case LedgerAction::remove: return "remove";
    case LedgerAction::adopt: return "adopt";
    case LedgerAction::conflict: return "conflict";
    case LedgerAction::found: return "found";
    case LedgerAction::vanished: return "vanished";
    case LedgerAction::corrupt: return "corrupt";
    case LedgerAction::restore: return "restore";
    case LedgerAction::pin: return "pin";
    case LedgerAction::unpin: return "unpin";
    case LedgerAction::snapshot: return "snapshot";
    case LedgerAction::unsnapshot: return "unsnapshot";
    case LedgerAction::promote: return "promote";
    case LedgerAction::grant: return "grant";
    case LedgerAction::revoke: return "revoke";
    case LedgerAction::empty: return "empty";
  }
  return "unknown";
}

bool changes_names(LedgerAction action) {
  switch (action) {
    case LedgerAction::conflict:
    case LedgerAction::pin:
    case LedgerAction::unpin:
    case LedgerAction::snapshot:
    case LedgerAction::unsnapshot:
    case LedgerAction::grant:
    case LedgerAction::revoke:
    case LedgerAction::empty: return false;
    default: return true;
  }
}

bool removes_name(LedgerAction action) {
  return action == LedgerAction::remove || action == LedgerAction::vanished ||
         action == LedgerAction::corrupt;
}

std::string encode(const ScrubCursor& cursor) {
  Writer out;
  out.time(cursor.started).time(cursor.finished).byte(cursor.phase).text(cursor.position);
  out.number(cursor.names).number(cursor.objects).number(cursor.hashed).number(cursor.bytes);
  return out.number(cursor.defects).number(cursor.repaired).number(cursor.last_defects).take();
}

std::optional<ScrubCursor> decode_cursor(std::string_view bytes) {
  Reader in(bytes);
  ScrubCursor cursor;
  cursor.started = in.time();
  cursor.finished = in.time();
  cursor.phase = in.byte();
  cursor.position = in.text();
  cursor.names = in.number();
  cursor.objects = in.number();
  cursor.hashed = in.number();
  cursor.bytes = in.number();
  cursor.defects = in.number();
  cursor.repaired = in.number();
  cursor.last_defects = in.number();
  return when_finished(in, std::move(cursor));
}

namespace {

Writer& write(Writer& writer, const NameRecord& record) {
  return writer.byte(record.declared ? 1 : 0)
      .digest(record.digest)
      .number(record.size)
      .time(record.stored)
      .text(record.uploader);
}

NameRecord read_name(Reader& reader) {
  NameRecord record;
  record.declared = reader.flag();
  record.digest = reader.digest();
  record.size = reader.number();
  record.stored = reader.time();
  record.uploader = reader.text();
  return record;
}

}  // namespace

std::string encode(const NameRecord& record) {
  Writer writer;
  return write(writer, record).take();
}

std::optional<NameRecord> decode_name(std::string_view bytes) {
  Reader reader(bytes);
  NameRecord record = read_name(reader);
  return when_finished(reader, std::move(record));
}

std::string encode(const TrashRecord& record) {
  Writer writer;
  return write(writer, record.name).time(record.removed).text(record.actor).text(record.why).take();
}

std::optional<TrashRecord> decode_trash(std::string_view bytes) {
  Reader reader(bytes);
  TrashRecord record;
  record.name = read_name(reader);
  record.removed = reader.time();
  record.actor = reader.text();
  record.why = reader.text();
  return when_finished(reader, std::move(record));
}

std::string encode(const ObjectRecord& record) {
  return Writer().number(record.size).time(record.verified).text(record.charged_to).take();
}

std::optional<ObjectRecord> decode_object(std::string_view bytes) {
  Reader reader(bytes);
  ObjectRecord record;
  record.size = reader.number();
  record.verified = reader.time();
  record.charged_to = reader.text();
  return when_finished(reader, std::move(record));
}

std::string encode(const RecencyRecord& record) {
  return Writer().time(record.used).time(record.seen).take();
}

std::optional<RecencyRecord> decode_recency(std::string_view bytes) {
  Reader reader(bytes);
  RecencyRecord record;
  record.used = reader.time();
  record.seen = reader.time();
  return when_finished(reader, record);
}

std::string encode(const LedgerRecord& record) {
  return Writer()
      .time(record.time)
      .byte(static_cast<std::uint8_t>(record.action))
      .text(record.key)
      .digest(record.digest)
      .number(record.size)
      .text(record.actor)
      .text(record.why)
      .take();
}

std::optional<LedgerRecord> decode_ledger(std::string_view bytes) {
  Reader reader(bytes);
  LedgerRecord record;
  record.time = reader.time();
  const std::uint8_t action = reader.byte();
  if (action < static_cast<std::uint8_t>(LedgerAction::put) ||
      action > static_cast<std::uint8_t>(LedgerAction::empty))
    return std::nullopt;
  record.action = static_cast<LedgerAction>(action);
  record.key = reader.text();
  record.digest = reader.digest();
  record.size = reader.number();
  record.actor = reader.text();
  record.why = reader.text();
  return when_finished(reader, std::move(record));
}

std::string encode(const NamespaceTotals& totals) {
  return Writer()
      .number(totals.artifacts)
      .number(totals.logical_bytes)
      .number(totals.objects)
      .number(totals.physical_bytes)
      .take();
}

std::optional<NamespaceTotals> decode_totals(std::string_view bytes) {
  Reader reader(bytes);
  NamespaceTotals totals;
  totals.artifacts = reader.number();
  totals.logical_bytes = reader.number();
  totals.objects = reader.number();
  totals.physical_bytes = reader.number();
  return when_finished(reader, totals);
}

std::string encode_sequence(std::uint64_t sequence) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(sequence >> shift));
  return bytes;
}

std::optional<std::uint64_t> decode_sequence(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

}  // namespace larder
