#include <string>

#include "client/prune.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;

TEST_CASE("the hash in a stamp's name", "[client][prune]") {
  const std::string hash(64, 'a');
  const std::string other(64, 'b');
  struct Row {
    std::string name;
    std::string hash;
  };
  const Row rows[] = {
      {"1.3-r0.do_populate_sysroot_setscene." + hash, hash},
      {"1.3-r0.do_packagedata_setscene." + hash + ".qemux86_64", hash},
      {"1.3-r0.do_deploy.sigdata." + hash, hash},
      {"1.3-r0.do_deploy.sigdata." + hash + ".core2-64.more", hash},
      {"git-r0.do_x_setscene." + hash + "." + other, hash},
      {"1.3-r0.do_x_setscene.sigdata." + hash, hash},
      {"1.3-r0.do_compile." + hash, ""},  // its sigdata stands beside it
      {"1.3-r0.do_x_setscene." + std::string(63, 'a'), ""},
      {"1.3-r0.do_x_setscene." + std::string(65, 'a'), ""},
      {"1.3-r0.do_x_setscene." + std::string(64, 'A'), ""},
      {"1.3-r0.do_x_setscene." + std::string(64, 'g'), ""},
      {"1.3-r0.do_x_setscene.", ""},
      {"1.3-r0.sigdata." + hash, ""},
      {hash, ""},
      {"", ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(hash_of_stamp(row.name) == row.hash);
  }
}

}  // namespace
