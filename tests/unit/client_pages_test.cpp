// What people read: progress lines, the stat page, the configuration lines.
#include <string>

#include "client/conf_text.hpp"
#include "client/progress.hpp"
#include "client/stat_page.hpp"
#include "client/text.hpp"
#include "client/verify_page.hpp"
#include "common/units.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

api::Stat server_stat() {
  api::Stat stat;
  stat.version = "1.2.3";
  stat.ready = true;
  stat.durability = "batch";
  stat.logical_bytes = 1000;
  stat.physical_bytes = 750;
  stat.objects = 1234567;
  stat.namespaces.resize(3);
  stat.namespaces[0].name = "sstate-cache";
  stat.namespaces[0].kind = "sstate";
  stat.namespaces[0].hits = 3;
  stat.namespaces[0].misses = 1;
  stat.namespaces[1].name = "downloads";
  stat.namespaces[1].kind = "downloads";
  stat.namespaces[2].name = "isar";
  stat.namespaces[2].kind = "sstate";
  return stat;
}

ServerUrl server_at(const std::string& text) {
  return *parse_server_url(text);
}

TEST_CASE("numbers are grouped by thousands", "[client][text]") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1234567) == "1,234,567");
}

TEST_CASE("columns, shares and names from elsewhere", "[client][text]") {
  CHECK(left("ab", 4) == "ab  ");
  CHECK(left("abcd", 2) == "abcd");
  CHECK(right("ab", 4) == "  ab");
  CHECK(percent(1, 4) == "25.0 %");
  CHECK(percent(0, 0) == "-");
  CHECK(local_time(0) == "-");
  CHECK(printable("a\x1b[2J\n\x7F") == "a?[2J??");
}

TEST_CASE("a progress line says what is known, and no more", "[client][progress]") {
  ProgressFigures figures;
  figures.doing = "sent";
  figures.done = 123;
  figures.total = 10000;
  figures.done_bytes = 100 << 20;
  figures.total_bytes = 300 << 20;
  const std::string counts =
      "sent 123 of 10,000 (" + human_size(100 << 20) + " of " + human_size(300 << 20) + ")";

  figures.elapsed = milliseconds(999);
  CHECK(progress_line(figures) == counts);
  figures.elapsed = milliseconds(10000);
  CHECK(progress_line(figures) ==
        counts + ", " + human_size(10 << 20) + "/s, " + human_duration(milliseconds(20000)) + " left");
  figures.done_bytes = figures.total_bytes;
  CHECK_THAT(progress_line(figures), !Contains("left"));
  figures.total = 0;
  figures.total_bytes = 0;
  CHECK_THAT(progress_line(figures), !Contains(" of "));
  figures.done_bytes = 0;
  CHECK_THAT(progress_line(figures), !Contains("/s"));
}

TEST_CASE("a line never wraps on a terminal", "[client][progress]") {
  CHECK(fitted("abcdef", 4) == "abc");
  CHECK(fitted("abc", 4) == "abc");
  CHECK(fitted("abc", 0).empty());
}

TEST_CASE("the stat page names what a person looks for", "[client][stat]") {
  const std::string page = stat_page("http://cache:8480", server_stat());
  CHECK_THAT(page, Contains("http://cache:8480: larder 1.2.3, ready"));
  CHECK_THAT(page, Contains("1,234,567"));
  CHECK_THAT(page, Contains("25.0 %"));  // saved by sharing
  CHECK_THAT(page, Contains("sstate-cache (sstate)"));
  CHECK_THAT(page, Contains("3 hits, 1 misses (75.0 % found)"));
  CHECK_THAT(page, Contains("survives a power cut"));
}

TEST_CASE("a namespace is as full as what it takes on the disk", "[client][stat]") {
  api::Stat stat = server_stat();
  stat.namespaces[1].logical_bytes = 90 << 20;
  stat.namespaces[1].physical_bytes = 10 << 20;
  CHECK_THAT(stat_page("x", stat), Contains("0, " + human_size(90 << 20) + "\n"));  // there is no limit
  stat.namespaces[1].max_bytes = 40 << 20;
  CHECK_THAT(stat_page("x", stat),
             Contains(human_size(10 << 20) + " of " + human_size(40 << 20) + " (25.0 %)"));
}

TEST_CASE("the stat page tells of inodes where the file system counts them", "[client][stat]") {
  api::Stat stat = server_stat();
  CHECK_THAT(stat_page("x", stat), !Contains("inodes"));
  stat.disk_total_inodes = 65536;
  stat.disk_free_inodes = 16384;
  CHECK_THAT(stat_page("x", stat), Contains("16,384 inodes free of 65,536 (25.0 %)"));
}

TEST_CASE("odd figures do not upset the stat page", "[client][stat]") {
  api::Stat stat;  // nothing stored, nothing known
  CHECK_THAT(stat_page("x", stat), Contains("not ready yet"));
  stat.started = 100;
  stat.now = 50;            // the clock went back
  stat.physical_bytes = 9;  // more than the names add up to: a removal is under way
  CHECK_THAT(stat_page("x", stat), Contains(human_size(0) + " saved"));
}

TEST_CASE("local.conf gets a mirror for every sstate namespace and the first downloads", "[client][conf]") {
  const std::string text = conf_text(ConfFormat::local_conf, server_at("http://cache:8480"), server_stat());
  CHECK_THAT(
      text,
      Contains("SSTATE_MIRRORS = \"file://.* http://cache:8480/sstate-cache/PATH;downloadfilename=PATH"));
  CHECK_THAT(text, Contains("file://.* http://cache:8480/isar/PATH;downloadfilename=PATH\"\n"));
  CHECK_THAT(text,
             Contains("INHERIT += \"own-mirrors\"\nSOURCE_MIRROR_URL = \"http://cache:8480/downloads\"\n"));
  CHECK_THAT(text, Contains("BB_GENERATE_MIRROR_TARBALLS = \"1\"\n"));
  CHECK_THAT(text, Contains(";user=USER;pswd=PASS") && Contains("#   machine cache login USER"));
  CHECK_THAT(text, Contains("BB_CHECK_SSL_CERTS = \"0\""));
  CHECK_THAT(text, Contains("\n#   INHERIT += \"larder\"\n"));
  CHECK_THAT(text, !Contains("this machine only"));
}

TEST_CASE("lanes are for who asks for them", "[client][conf]") {
  const auto mirrors = [](const std::vector<std::string>& names) {
    api::Stat stat = server_stat();
    api::NamespaceStat lane;
    lane.name = "sstate-pr";
    lane.kind = "sstate";
    lane.overlay = "sstate-cache";
    stat.namespaces.insert(stat.namespaces.begin(), lane);
    lane.name = "downloads-pr";
    lane.kind = "downloads";
    lane.overlay = "downloads";
    stat.namespaces.insert(stat.namespaces.begin(), lane);
    const auto chosen = choose_namespaces(stat, names);
    return chosen ? conf_text(ConfFormat::local_conf, server_at("http://c"), stat) : chosen.error().message();
  };
  CHECK_THAT(mirrors({}),
             !Contains("-pr") && Contains("c/sstate-cache/PATH") && Contains("\"http://c/downloads\""));
  CHECK_THAT(mirrors({"sstate-pr"}), Contains("c/sstate-pr/PATH") && !Contains("c/sstate-cache/") &&
                                         Contains("\"http://c/downloads\""));
  CHECK_THAT(mirrors({"downloads-pr"}),
             Contains("\"http://c/downloads-pr\"") && Contains("c/sstate-cache/PATH"));
  CHECK_THAT(mirrors({"@r1/sstate-cache"}), Contains("file://.* http://c/%40r1/sstate-cache/PATH;") ||
                                                Contains("file://.* http://c/@r1/sstate-cache/PATH;"));
  CHECK(mirrors({"none"}) == "the server has no namespace 'none'");
  CHECK(mirrors({"@r1"}) == "the server has no namespace '@r1'");
}

TEST_CASE("only the lines that are meant to work are not comments", "[client][conf]") {
  std::string text = conf_text(ConfFormat::local_conf, server_at("http://cache:8480"), server_stat());
  int settings = 0;
  while (!text.empty()) {
    const std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    if (!line.empty() && line.front() != '#' && line.front() != ' ') ++settings;
  }
  CHECK(settings == 4);
}

TEST_CASE("where hash equivalence is served, builds are pointed at it", "[client][conf][hashserv]") {
  api::Stat stat = server_stat();
  const auto text = [&](const std::string& server) {
    return conf_text(ConfFormat::local_conf, server_at(server), stat);
  };
  CHECK_THAT(text("http://cache:8480"), !Contains("\nBB_HASHSERVE") && Contains("hashserv.listen"));
  CHECK_THAT(stat_page("x", stat), !Contains("unihashes"));
  stat.hashserv = {8686, "sstate-cache", 12345, 67, 8};
  CHECK_THAT(text("http://cache:8480"), Contains("\nBB_HASHSERVE = \"cache:8686\"\n") &&
                                            Contains("\nBB_SIGNATURE_HANDLER = \"OEEquivHash\"\n"));
  CHECK_THAT(text("http://[fd00::1]:8480"), Contains("\nBB_HASHSERVE = \"[fd00::1]:8686\"\n"));
  CHECK_THAT(text("http://ci:hunter2@cache"), Contains("machine cache:8686 login ci password PASS"));
  CHECK_THAT(conf_text(ConfFormat::kas, server_at("http://cache"), stat), Contains("    BB_HASHSERVE = "));
  CHECK_THAT(conf_text(ConfFormat::buildroot, server_at("http://cache"), stat), !Contains("BB_HASHSERVE"));
  CHECK_THAT(stat_page("x", stat), Contains("12,345 unihashes, 67 requests, 8 reports not kept, port 8686"));
  const auto chosen = [&](const std::vector<std::string>& names, const std::string& about) {
    api::Stat of = stat;
    of.hashserv.name_space = about;
    REQUIRE(choose_namespaces(of, names));
    return conf_text(ConfFormat::local_conf, server_at("http://cache"), of);
  };
  CHECK_THAT(chosen({}, "sstate-cache"), Contains("\nBB_HASHSERVE"));
  CHECK_THAT(chosen({}, "hidden"), !Contains("\nBB_HASHSERVE"));  // who sees nothing of it may not ask
  stat.namespaces.back().overlay = "hidden";
  CHECK_THAT(chosen({}, "hidden"), Contains("\nBB_HASHSERVE"));
}

TEST_CASE("credentials never reach the configuration", "[client][conf]") {
  for (const ConfFormat format : {ConfFormat::local_conf, ConfFormat::kas, ConfFormat::buildroot}) {
    const std::string text = conf_text(format, server_at("http://ci:hunter2@cache:8480"), server_stat());
    CHECK_THAT(text, !Contains("hunter2"));
    CHECK_THAT(text, Contains("machine cache login ci password PASS"));
  }
}

TEST_CASE("an address of this machine comes with a warning", "[client][conf]") {
  for (const std::string server : {"http://127.0.0.1:8480", "http://localhost", "http://[::1]:8480"}) {
    CHECK_THAT(conf_text(ConfFormat::buildroot, server_at(server), server_stat()),
               Contains("this machine only"));
  }
}

TEST_CASE("kas and Buildroot get their own spelling", "[client][conf]") {
  const std::string kas = conf_text(ConfFormat::kas, server_at("http://cache:8480"), server_stat());
  CHECK_THAT(kas, Contains("local_conf_header:\n  larder: |\n    # From"));
  CHECK_THAT(kas, Contains("\n    SSTATE_MIRRORS = "));
  const std::string buildroot =
      conf_text(ConfFormat::buildroot, server_at("http://cache:8480"), server_stat());
  CHECK_THAT(buildroot, Contains("BR2_PRIMARY_SITE=\"http://cache:8480/downloads\"\n"));
}

TEST_CASE("a server without a kind of namespace says so instead of a broken line", "[client][conf]") {
  for (const ConfFormat format : {ConfFormat::local_conf, ConfFormat::kas, ConfFormat::buildroot}) {
    const std::string text = conf_text(format, server_at("http://cache"), api::Stat{});
    CHECK_THAT(text, Contains("no namespace of kind downloads"));
    CHECK_THAT(text, !Contains("SSTATE_MIRRORS =") && !Contains("BR2_PRIMARY_SITE="));
  }
}

TEST_CASE("formats have names", "[client][conf]") {
  CHECK(conf_format("local.conf") == ConfFormat::local_conf);
  CHECK(conf_format("kas") == ConfFormat::kas);
  CHECK(conf_format("buildroot") == ConfFormat::buildroot);
  CHECK_FALSE(conf_format("yaml"));
}

TEST_CASE("a check says how far it came and what it found", "[client][verify]") {
  api::VerifyEvent counts;
  counts.names = 12345;
  counts.objects = 12000;
  counts.hashed = 12000;
  counts.bytes = 5 << 20;
  counts.complete = true;
  CHECK(verify_page("http://cache:8480", counts) ==
        "http://cache:8480: checked\n  names     12,345\n  objects   12,000\n  read      12,000 (5.0 MiB)\n"
        "  defects   0\n");
  counts.complete = false;
  counts.resumed = true;
  counts.defects = 3;
  counts.repaired = 1;
  const std::string page = verify_page("http://cache:8480", counts);
  CHECK_THAT(page, Contains("checked in part; the next run goes on from here (with the runs before)"));
  CHECK_THAT(page, Contains("3: 1 dealt with, 2 left"));

  api::VerifyEvent event;
  event.path = "sstate-cache/a\x1b";
  event.defect = "corrupt";
  event.detail = "reads as something else";
  event.action = "quarantined";
  CHECK(defect_line(event) == "larder: sstate-cache/a?: corrupt: reads as something else -> quarantined");
}

TEST_CASE("the page of stat tells when the certificate ends, if there is one", "[client][stat]") {
  constexpr std::int64_t k_day = 24 * 3600;
  api::Stat stat = server_stat();
  stat.now = 1'800'000'000;
  CHECK(stat_page("https://cache", stat).find("certificate") == std::string::npos);
  stat.tls_certificate_expires = stat.now + 40 * k_day;
  CHECK(stat_page("https://cache", stat).find("(in 40 days)\n") != std::string::npos);
  stat.tls_certificate_expires = stat.now + 13 * k_day;
  CHECK(stat_page("https://cache", stat).find("(in 13 days): RENEW IT") != std::string::npos);
  stat.tls_certificate_expires = stat.now - 1;
  CHECK(stat_page("https://cache", stat).find("HAS EXPIRED") != std::string::npos);
}

TEST_CASE("the stat page tells of the last check and of the one under way", "[client][stat][verify]") {
  api::Stat stat = server_stat();
  CHECK_THAT(stat_page("http://cache", stat), Contains("no pass complete yet"));
  stat.scrub.finished = 1'700'000'000;
  stat.scrub.started = 1'690'000'000;
  stat.scrub.last_defects = 2;
  CHECK_THAT(stat_page("http://cache", stat), Contains("2 defects") && !Contains("under way"));
  stat.scrub.started = 1'700'000'001;
  CHECK_THAT(stat_page("http://cache", stat), Contains("pass under way"));
}

}  // namespace
