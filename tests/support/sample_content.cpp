#include "tests/support/sample_content.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace larder::test {
namespace {

constexpr std::size_t k_pool = std::size_t{4} << 20;

void expect_ok(int status, archive* from) {
  if (status < ARCHIVE_WARN) throw std::runtime_error(archive_error_string(from));
}

la_ssize_t append(archive*, void* target, const void* bytes, std::size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

// A libarchive writer into a string. The bytes are complete after close().
class Writer {
 public:
  enum class Format { pax, zip, raw };

  Writer(Format format, Compression compression) : archive_(archive_write_new()) {
    choose(format);
    choose(compression);
    archive_write_set_bytes_in_last_block(archive_.get(), 1);  // no padding behind the end
    expect_ok(archive_write_open(archive_.get(), &out_, nullptr, append, nullptr), archive_.get());
  }

  void member(const std::string& name, std::string_view bytes) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                              &archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 1'302'044'400, 0);  // BitBake's REPRODUCIBLE_TIMESTAMP
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    expect_ok(archive_write_header(archive_.get(), entry.get()), archive_.get());
    if (archive_write_data(archive_.get(), bytes.data(), bytes.size()) < 0)
      throw std::runtime_error(archive_error_string(archive_.get()));
  }

  std::string close() {
    expect_ok(archive_write_close(archive_.get()), archive_.get());
    return std::move(out_);
  }

 private:
  void choose(Format format) {
    archive* const a = archive_.get();
    switch (format) {
      case Format::pax: expect_ok(archive_write_set_format_pax_restricted(a), a); break;
      case Format::zip: expect_ok(archive_write_set_format_zip(a), a); break;
      case Format::raw: expect_ok(archive_write_set_format_raw(a), a); break;
    }
  }

  void choose(Compression compression) {
    archive* const a = archive_.get();
    const char* level = "1";
    switch (compression) {
      case Compression::none: return;
      case Compression::zstd:
      case Compression::pzstd: expect_ok(archive_write_add_filter_zstd(a), a); break;
      case Compression::gzip:
        expect_ok(archive_write_add_filter_gzip(a), a);
        archive_write_set_filter_option(a, "gzip", "timestamp", nullptr);  // else the hour shows
        break;
      case Compression::xz:
        expect_ok(archive_write_add_filter_xz(a), a);
        level = "0";
        break;
    }
    expect_ok(archive_write_set_filter_option(a, nullptr, "compression-level", level), a);
  }

  struct Free {
    void operator()(archive* a) const { archive_write_free(a); }
  };
  std::string out_;  // before archive_: freeing an archive may still write
  std::unique_ptr<archive, Free> archive_;
};

std::string framed_for_pzstd(std::string_view plain) {
  constexpr std::size_t k_chunk = 256 << 10;
  std::string result;
  do {
    const std::string frame = compress(plain.substr(0, k_chunk), Compression::zstd);
    const auto size = static_cast<std::uint32_t>(frame.size());
    result += std::string_view("\x50\x2a\x4d\x18\x04\x00\x00\x00", 8);
    for (const int shift : {0, 8, 16, 24}) result += static_cast<char>((size >> shift) & 0xFF);
    result += frame;
    plain.remove_prefix(std::min(plain.size(), k_chunk));
  } while (!plain.empty());
  return result;
}

}  // namespace

SampleContent::SampleContent(Dice& dice) : dice_(dice) {
  pool_.resize(k_pool);
  for (std::size_t i = 0; i < pool_.size(); i += 8) {
    const std::uint64_t word = dice_.roll();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, pool_.data() + i);
  }
}

std::string_view SampleContent::piece(std::size_t size) {
  size = std::min(size, pool_.size() / 2);
  return std::string_view(pool_).substr(dice_.below(pool_.size() - size), size);
}

std::string SampleContent::noise(std::size_t size) {
  std::string result;
  while (result.size() < size) result += piece(size - result.size());
  return result;
}

std::string SampleContent::tar(std::size_t size, Compression compression, std::string_view top) {
  constexpr std::array<std::string_view, 6> k_places = {"usr/lib/lib",    "usr/bin/",     "usr/include/",
                                                        "usr/share/doc/", "etc/default/", "usr/src/debug/"};
  Writer writer(Writer::Format::pax, Compression::none);
  std::size_t rest = size;
  do {
    const std::size_t length = std::min(rest, 1 + dice_.below(size / 2 + 64));
    const std::string name = std::string(top) + "/" + std::string(dice_.pick(k_places)) + dice_.suffix(12);
    const std::string bytes = noise(length);
    writer.member(name, bytes);
    rest -= length;
  } while (rest > 0);
  return compress(writer.close(), compression);
}

std::string SampleContent::zip(std::size_t size, std::string_view top) {
  Writer writer(Writer::Format::zip, Compression::none);
  writer.member(std::string(top) + "/go.mod", "module " + std::string(top) + "\n");
  writer.member(std::string(top) + "/main.go", noise(size));
  return writer.close();
}

std::string SampleContent::siginfo(std::string_view task, std::string_view hash) {
  std::string json = R"({"basehash": ")" + dice_.hex(64) + R"(", "file_checksum_values": [], "gendeps": {)";
  const std::size_t variables = 5 + dice_.below(30);
  for (std::size_t i = 0; i < variables; ++i) {
    if (i > 0) json += ", ";
    json += '"' + dice_.suffix(14) + R"(": [")" + dice_.suffix(9) + R"("])";
  }
  json += R"(}, "runtaskhashes": {"recipe:)" + std::string(task) + R"(": ")" + dice_.hex(64) +
          R"("}, "task": ")" + std::string(task) + R"(", "taskhash": ")" + std::string(hash) + "\"}";
  return compress(json, Compression::zstd);
}

std::string SampleContent::pickled_siginfo(std::string_view task, std::string_view hash) {
  return std::string("\x80\x04}q\x00(X\x08\x00\x00\x00taskhashq\x01X@", 24) + std::string(hash) + "X" +
         std::string(task) + noise(200 + dice_.below(2000)) + "u.";
}

std::string SampleContent::signature() {
  return std::string("\x89\x02\x33\x04\x00\x01\x0a\x00\x1d\x16\x21\x04", 12) + noise(554);
}

std::string compress(std::string_view plain, Compression compression) {
  if (compression == Compression::none) return std::string(plain);
  if (compression == Compression::pzstd) return framed_for_pzstd(plain);
  Writer writer(Writer::Format::raw, compression);
  writer.member("data", plain);
  return writer.close();
}

std::string_view empty_archive() {
  static constexpr unsigned char k_bytes[] = {
      0x50, 0x2a, 0x4d, 0x18, 0x04, 0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00,  // skippable: 22 follow
      0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x4d, 0x00, 0x00, 0x10, 0x00,        // 10240 zeros
      0x00, 0x01, 0x00, 0xfb, 0x87, 0x07, 0x58, 0xbc, 0xbd, 0x7e, 0xd6};
  return {reinterpret_cast<const char*>(k_bytes), sizeof k_bytes};
}

}  // namespace larder::test
