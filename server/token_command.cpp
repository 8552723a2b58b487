#include "server/token_command.hpp"

#include <algorithm>
#include <filesystem>

#include "server/access/authorizer.hpp"

namespace larder {
namespace {

Result<TokenRecord> wanted_token(const Config& config, const TokenArguments& arguments, UnixSeconds now) {
  TokenRecord wanted;
  wanted.name = arguments.name;
  LARDER_TRY_ASSIGN(wanted.rights, parse_rights(arguments.can));
  wanted.where = NamespaceSet::all();
  if (!arguments.where.empty()) {
    LARDER_TRY_ASSIGN(wanted.where, parse_namespaces(arguments.where));
  }
  for (const std::string& each : wanted.where.names()) {
    const bool known =
        std::any_of(config.namespaces.begin(), config.namespaces.end(),
                    [&](const NamespaceConfig& name_space) { return name_space.name == each; });
    if (!known) return Error(Errc::not_found, "the configuration has no namespace '" + each + "'");
  }
  if (!arguments.expires.empty()) {
    LARDER_TRY_ASSIGN(const auto duration, parse_duration(arguments.expires));
    wanted.expires = now + std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  }
  wanted.created_by = "larderd-token";
  return wanted;
}

}  // namespace

Result<void> run_token_command(const Config& config, const TokenArguments& arguments, std::ostream& out) {
  if (!std::filesystem::is_directory(config.data))
    return Error(Errc::not_found, "there is no data directory " + config.data.string() +
                                      ": start larderd once, or name it with --data");
  const TokenFile file(Authorizer::tokens_file(config));
  const UnixSeconds now = SystemClock().now();
  if (arguments.verb == TokenArguments::Verb::create) {
    LARDER_TRY_ASSIGN(const TokenRecord wanted, wanted_token(config, arguments, now));
    LARDER_TRY_ASSIGN(const NewToken made, add_token(file, wanted, now));
    out << made.text << "\n";
    return {};
  }
  if (arguments.verb == TokenArguments::Verb::revoke) {
    LARDER_TRY_ASSIGN(const TokenRecord gone, drop_token(file, arguments.name));
    out << gone.name << " (" << gone.id << ") is revoked\n";
    return {};
  }
  LARDER_TRY_ASSIGN(const TokenRecords records, file.read());
  for (const TokenRecord& each : records) {
    out << each.id << "  " << each.name << "  " << to_string(each.rights) << "  " << to_string(each.where);
    if (each.expires != 0)
      out << (each.expires <= now
                  ? "  expired"
                  : "  expires in " + human_duration(std::chrono::seconds(each.expires - now)));
    out << "\n";
  }
  return {};
}

}  // namespace larder
