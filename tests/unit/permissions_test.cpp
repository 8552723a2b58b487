#include "server/access/permissions.hpp"

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

Config with(WriteAccess write) {
  Config config;
  config.write = write;
  return config;
}

}  // namespace

TEST_CASE("without a word about access everything is as `write` says", "[access]") {
  struct Row {
    WriteAccess write;
    Origin origin;
    const char* expected;
  };
  const Row rows[] = {
      {WriteAccess::nobody, Origin::loopback, "read in all namespaces"},
      {WriteAccess::nobody, Origin::elsewhere, "read in all namespaces"},
      {WriteAccess::loopback, Origin::loopback, "everything"},
      {WriteAccess::loopback, Origin::elsewhere, "read in all namespaces"},
      {WriteAccess::everybody, Origin::loopback, "everything"},
      {WriteAccess::everybody, Origin::elsewhere, "read, write, replace, delete in all namespaces"},
  };
  for (const Row& row : rows)
    CHECK(describe(anonymous_permissions(with(row.write), row.origin)) == row.expected);
}

TEST_CASE("access.anonymous goes before `write`, right by right", "[access]") {
  Config config = with(WriteAccess::loopback);
  config.access.anonymous.read = {"downloads"};
  config.access.anonymous.write = {"sstate-pr", "loopback"};
  config.access.anonymous.remove = {"none"};
  config.access.anonymous.admin = {"none"};
  const Permissions near = anonymous_permissions(config, Origin::loopback);
  const Permissions far = anonymous_permissions(config, Origin::elsewhere);
  CHECK(describe(near) == "read in downloads; write, replace in all namespaces");
  CHECK(describe(far) == "read in downloads; write in sstate-pr");
  CHECK(far.may(Right::write, "sstate-pr"));
  CHECK_FALSE(far.may(Right::write, "downloads"));
  CHECK_FALSE(near.may(Right::remove, "downloads"));
}

TEST_CASE("what holds for a namespace holds for it in snapshots", "[access]") {
  Permissions permissions;
  permissions.grant({Right::read}, *parse_namespaces("downloads"));
  CHECK(permissions.may(Right::read, "downloads"));
  CHECK(permissions.may(Right::read, "@release/downloads"));
  CHECK_FALSE(permissions.may(Right::read, "@release/sstate-cache"));
  CHECK_FALSE(permissions.may(Right::read, ""));
  CHECK_FALSE(permissions.sees_all());
}

TEST_CASE("a snapshot's name is told to those who may read something of it", "[access]") {
  Permissions permissions;
  CHECK_FALSE(may_see_snapshot(permissions, {"downloads"}));
  permissions.grant({Right::read}, *parse_namespaces("downloads"));
  CHECK(may_see_snapshot(permissions, {"secret", "downloads"}));
  CHECK_FALSE(may_see_snapshot(permissions, {"secret"}));
  CHECK_FALSE(may_see_snapshot(permissions, {}));
  permissions.grant({Right::admin}, NamespaceSet::all());
  CHECK(may_see_snapshot(permissions, {"secret"}));
  CHECK(may_see_snapshot(permissions, {}));
}

TEST_CASE("admin may everything", "[access]") {
  Permissions permissions;
  permissions.grant({Right::admin}, NamespaceSet::all());
  for (const Right each : k_rights) CHECK(permissions.may_everywhere(each));
}

TEST_CASE("users get what their lines say, or what the others get", "[access]") {
  AccessConfig config;
  config.users = {"others = read", "anna = read write on downloads", "anna = delete on sstate-cache"};
  CHECK(describe(user_permissions(config, "bob")) == "read in all namespaces");
  CHECK(describe(user_permissions(config, "anna")) == "read, write in downloads; delete in sstate-cache");
  config.users = {};
  CHECK(describe(user_permissions(config, "bob")) == "nothing");
}
