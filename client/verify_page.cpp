#include "client/verify_page.hpp"

#include <algorithm>

#include "client/text.hpp"
#include "common/units.hpp"

namespace larder::client {

std::string defect_line(const api::VerifyEvent& event) {
  std::string line =
      "larder: " + printable(event.path) + ": " + event.defect + ": " + printable(event.detail);
  if (!event.action.empty()) line += " -> " + event.action;
  return line;
}

std::string verify_page(const std::string& server, const api::VerifyEvent& counts) {
  std::string page =
      server + ": " + (counts.complete ? "checked" : "checked in part; the next run goes on from here");
  if (counts.resumed) page += " (with the runs before)";
  page += "\n  names     " + grouped(counts.names) + "\n";
  page += "  objects   " + grouped(counts.objects) + "\n";
  page += "  read      " + grouped(counts.hashed) + " (" + human_size(counts.bytes) + ")\n";
  const std::uint64_t left = counts.defects - std::min(counts.defects, counts.repaired);
  page += "  defects   " + grouped(counts.defects);
  if (counts.defects > 0) page += ": " + grouped(counts.repaired) + " dealt with, " + grouped(left) + " left";
  return page + "\n";
}

}  // namespace larder::client
