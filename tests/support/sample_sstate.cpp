#include <algorithm>

#include "tests/support/sample_content.hpp"
#include "tests/support/sample_names.hpp"
#include "tests/support/sample_tree.hpp"
#include "tests/support/sample_writer.hpp"

namespace larder::test {
namespace {

// How often each form comes in a tree of a real distribution, in percent.
NameForm usual_form(Dice& dice) {
  const std::uint64_t percent = dice.below(100);
  if (percent < 40) return NameForm::target;
  if (percent < 62) return NameForm::native;
  if (percent < 64) return NameForm::distro_native;
  if (percent < 66) return NameForm::cross;
  if (percent < 81) return NameForm::software;
  if (percent < 89) return NameForm::allarch;
  if (percent < 91) return NameForm::truncated;
  if (percent < 92) return NameForm::longest;
  return percent < 95 ? NameForm::old_tgz : NameForm::old_zstd;
}

class SstateTree {
 public:
  SstateTree(const std::filesystem::path& directory, const SstateTreeOptions& options)
      : options_(options), dice_(options.seed), content_(dice_), writer_(directory) {}

  Manifest make() {
    for (std::size_t i = 0; writer_.taken() < options_.objects; ++i) {
      const bool first_round = i < k_name_forms.size();
      const NameForm form = first_round ? k_name_forms[i] : usual_form(dice_);
      // One task in two leaves an archive; every task leaves a siginfo.
      add_task(form, first_round || dice_.chance(50) ? TaskKind::archived : TaskKind::plain);
    }
    if (options_.junk == Junk::some) add_junk();
    return writer_.finish();
  }

 private:
  std::size_t room() const { return options_.objects - writer_.taken(); }

  void add_task(NameForm form, TaskKind kind) {
    const SstateName name = make_sstate_name(form, kind, dice_);
    const std::string path = name.path();
    if (kind == TaskKind::archived && room() >= 2) {
      writer_.take(path, archive(name));
      if (dice_.chance(5) && room() >= 2) writer_.take(path + ".sig", content_.signature());
    }
    const bool pickled = name.extension == ".tgz";
    writer_.take(path + ".siginfo", pickled ? content_.pickled_siginfo(name.task, name.hash)
                                            : content_.siginfo(name.task, name.hash));
  }

  std::string archive(const SstateName& name) {
    const auto size = static_cast<std::size_t>(
        std::min(dice_.log_normal(options_.median_size, options_.sigma), 1000 * options_.median_size));
    if (name.extension == ".tgz") return content_.tar(size, Compression::gzip, name.pn);
    if (dice_.chance(20)) return std::string(empty_archive());
    return content_.tar(size, dice_.chance(30) ? Compression::pzstd : Compression::zstd, name.pn);
  }

  SstateName another(NameForm form = NameForm::target) {
    return make_sstate_name(form, TaskKind::archived, dice_);
  }
  std::string some_tar(Compression compression = Compression::zstd) {
    return content_.tar(4000 + dice_.below(9000), compression, "junk");
  }

  void add_junk() {
    const std::size_t rounds = 2 + options_.objects / 1000;
    for (std::size_t i = 0; i < rounds; ++i) {
      add_unfinished();
      add_stamps_and_locks();
      add_links();
      add_corrupt();
    }
  }

  // What a build leaves while it writes, or when it is killed while it does.
  void add_unfinished() {
    const std::string half = some_tar().substr(0, 2000);
    writer_.skip(another().path() + dice_.suffix(8), half, "temporary file (NamedTemporaryFile)");
    writer_.skip(another().path() + "." + dice_.suffix(8), half, "temporary file (mktemp)");
    writer_.skip(another(NameForm::old_tgz).path() + "." + dice_.suffix(8), half, "temporary file (mktemp)");
    const SstateName signed_name = another(NameForm::native);
    const std::string inside = signed_name.extra + signed_name.hash.substr(0, 2) + "/" +
                               signed_name.hash.substr(2, 2) + "/tmp" + dice_.suffix(8) + "/" +
                               signed_name.file_name();
    writer_.skip(inside, some_tar(), "in a temporary directory");
    writer_.skip(inside + ".sig", content_.signature(), "in a temporary directory");
    const SstateName siginfo = another();
    writer_.skip(siginfo.hash.substr(0, 2) + "/" + siginfo.hash.substr(2, 2) + "/sigtask." + dice_.suffix(8),
                 content_.siginfo(siginfo.task, siginfo.hash), "siginfo being written");
    writer_.skip(another().path() + ".tmp", {}, "empty, left by a failed download");
    writer_.skip(another().path() + ".siginfo.tmp", half, "download under way");
  }

  void add_stamps_and_locks() {
    const std::string path = another().path();
    writer_.take(path, some_tar());
    writer_.skip(path + ".lock", {}, "lock");
    writer_.skip(path + ".done", content_.noise(120), "stamp");
    writer_.skip(path + ".siginfo.done", content_.noise(120), "stamp");
  }

  void add_links() {
    const SstateName flat = another();
    writer_.skip(flat.file_name(), some_tar(), "flat download of an old client");
    writer_.link(flat.path(), writer_.root() / flat.file_name(), "link to a flat download");
    writer_.link(flat.path() + ".siginfo", "/nonexistent/sstate-cache/" + flat.path() + ".siginfo",
                 "dangling link");
    const std::string target = another().path();
    writer_.take(target, some_tar());
    writer_.link(another().path(), writer_.root() / target, "link");
  }

  void add_corrupt() {
    const std::string zst = some_tar();
    const std::string tgz = some_tar(Compression::gzip);
    const std::string tar = some_tar(Compression::none);
    writer_.corrupt(another().path(), zst.substr(0, zst.size() * 2 / 3), "zstd ends early");
    writer_.corrupt(another(NameForm::old_tgz).path(), tgz.substr(0, tgz.size() / 2), "gzip ends early");
    std::string wrong_sum = tgz;
    wrong_sum[wrong_sum.size() - 6] ^= 0x40;
    writer_.corrupt(another(NameForm::old_tgz).path(), wrong_sum, "gzip checksum is wrong");
    writer_.corrupt(another().path(), "<html><body>Please log in</body></html>\n", "a login page");
    writer_.corrupt(another().path(), compress(std::string_view(tar).substr(0, 1200), Compression::zstd),
                    "tar ends early");
    writer_.corrupt(another().path(), zst + content_.noise(100), "garbage behind the zstd frame");
    writer_.corrupt(another().path(), std::string(5000, '\0'), "zeros, as after a power cut");
  }

  const SstateTreeOptions& options_;
  Dice dice_;
  SampleContent content_;
  SampleWriter writer_;
};

}  // namespace

Manifest make_sstate_tree(const std::filesystem::path& directory, const SstateTreeOptions& options) {
  return SstateTree(directory, options).make();
}

}  // namespace larder::test
