// The format of one file of the upload journal: a header, then records one behind the other. They
// end where one does not continue the chain of hashes that begins with the header's seed: there
// is what an earlier use of the file left. One whose body has not the digest it tells of was cut
// off by a power cut, and is passed over. ARCHITECTURE.md describes it byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.hpp"
#include "common/result.hpp"
#include "server/store/file_system.hpp"
#include "server/store/records.hpp"

namespace larder {

struct JournalHeader {
  std::uint64_t epoch = 0;  // grows with every use of a segment
  Digest seed;              // random: nobody can send a body that continues somebody's chain
  bool operator==(const JournalHeader&) const = default;
};

inline constexpr std::uint64_t k_first_journal_record = 4096;  // so a header shares no block with a record

std::string encode_journal_header(const JournalHeader& header);
std::optional<JournalHeader> decode_journal_header(std::string_view bytes);
std::size_t size_of_journal_header();

// A record up to its body, which has name.size bytes; it is still to be chained to the one before it.
std::string encode_journal_record(std::string_view key, const NameRecord& name);
// Writes into `head` what chains it to `chain`; the next one continues from what is returned.
Digest chain_journal_record(std::string& head, const Digest& chain);

struct JournalRecord {
  std::string key;  // "namespace/path"
  NameRecord name;
  std::uint64_t body_at = 0;  // offset in the file; name.size bytes
};
struct JournalContent {
  JournalHeader header;
  std::vector<JournalRecord> records;
};
// Nothing when the header is none: the segment was never used, or was cut off when it was emptied.
Result<std::optional<JournalContent>> read_journal_segment(File& file);

}  // namespace larder
