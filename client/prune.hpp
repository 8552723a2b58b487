// What `larder prune` says on the command line, and what it prints.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/prune_api.hpp"
#include "common/result.hpp"

namespace larder::client {

// The task hashes that a build's stamps name, in any directory below `stamps` (BitBake's tmp/stamps). Errors:
// io when it cannot be read.
Result<std::vector<std::string>> hashes_of_stamps(const std::filesystem::path& stamps);
// The 64 lower-case hexadecimal digits of "….do_x.sigdata.HASH" and "….do_x_setscene.HASH", behind which
// ".EXTRA" may stand (a task's stamp-extra-info, the machine's name for example), or an empty view.
std::string_view hash_of_stamp(std::string_view file_name);

// "-" is standard input.
Result<std::string> text_of_file(const std::string& file);
// One name a line; empty lines and those that start with '#' are passed over.
std::vector<std::string> names_of_list(std::string_view text);
// The same as paths below a namespace, whose own name may stand before them. Errc::invalid_argument when
// there is none, or when a line is no name: what a list does not say right is not kept.
Result<std::vector<std::string>> names_to_keep(const std::string& name_space, const std::string& file,
                                               std::string_view text);

// The table of a plan, or of what was done.
std::string prune_page(const api::PruneRules& rules, const api::PruneEvent& event);
std::string trash_page(const std::vector<api::TrashGeneration>& generations);

}  // namespace larder::client
