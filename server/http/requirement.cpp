#include "server/http/requirement.hpp"

#include <array>

#include "common/access_api.hpp"
#include "common/api.hpp"
#include "common/checkout_event.hpp"
#include "common/digest_list.hpp"
#include "common/log_line.hpp"
#include "common/promote_api.hpp"
#include "common/prune_api.hpp"
#include "common/snapshot_api.hpp"
#include "common/upload_batch.hpp"

namespace larder::http {
namespace {

using Where = Need::Where;

struct Route {
  std::string_view path;
  // For GET and HEAD, and for all other methods.
  Right reading;
  Where reading_where;
  Right changing;
  Where changing_where;
};

// Where::space: the one that ?namespace= names.
constexpr std::array<Route, 18> k_routes = {{
    {api::k_health, Right::read, Where::nowhere, Right::read, Where::nowhere},
    {api::k_metrics, Right::read, Where::nowhere, Right::read, Where::nowhere},  // and access.status
    {api::k_stat, Right::read, Where::nowhere, Right::read, Where::nowhere},     // likewise
    {api::k_find_missing, Right::read, Where::space, Right::read, Where::space},
    {api::k_uploads, Right::write, Where::space, Right::write, Where::space},
    {api::k_digests, Right::read, Where::space, Right::read, Where::space},
    {api::k_log, Right::remove, Where::somewhere, Right::remove, Where::somewhere},
    {api::k_prune, Right::remove, Where::somewhere, Right::remove, Where::somewhere},
    {api::k_trash, Right::remove, Where::somewhere, Right::remove, Where::somewhere},
    {api::k_undo, Right::remove, Where::somewhere, Right::remove, Where::somewhere},
    {api::k_pins, Right::read, Where::somewhere, Right::remove, Where::somewhere},
    {api::k_snapshots, Right::read, Where::somewhere, Right::remove, Where::everywhere},
    {api::k_restore, Right::remove, Where::everywhere, Right::remove, Where::everywhere},
    {api::k_promote, Right::write, Where::somewhere, Right::write, Where::somewhere},
    {api::k_adopt, Right::admin, Where::everywhere, Right::admin, Where::everywhere},
    {api::k_checkout, Right::admin, Where::everywhere, Right::admin, Where::everywhere},
    {api::k_verify, Right::admin, Where::everywhere, Right::admin, Where::everywhere},
    {api::k_tokens, Right::admin, Where::everywhere, Right::admin, Where::everywhere},
}};

Need need(Where where, Right right, std::string_view name_space = {}) {
  Need need;
  need.where = where;
  need.right = right;
  need.name_space = name_space;
  return need;
}

bool reads(Method method) {
  return method == Method::get || method == Method::head;
}

Need need_of_service(Method method, const Target& target) {
  for (const Route& route : k_routes) {
    if (route.path != target.path) continue;
    const Where where = reads(method) ? route.reading_where : route.changing_where;
    const Right right = reads(method) ? route.reading : route.changing;
    if (where != Where::space) return need(where, right);
    const std::string name_space = query_value(target.query, "namespace").value_or("");
    return name_space.empty() ? need(Where::somewhere, right) : need(where, right, name_space);
  }
  return need(Where::somewhere, Right::read);  // there is nothing
}

Right right_below_namespace(Method method) {
  switch (method) {
    case Method::put:
    case Method::mkcol: return Right::write;
    case Method::delete_: return Right::remove;
    default: return Right::read;  // also of methods that are not understood
  }
}

}  // namespace

bool is_status(const Target& target) {
  return target.kind == Target::Kind::admin && (target.path == api::k_stat || target.path == api::k_metrics);
}

Need need_of(Method method, const Target& target) {
  if (method == Method::options) return {};
  switch (target.kind) {
    case Target::Kind::root: return {};  // shows what the asker may see
    case Target::Kind::snapshot: return need(Where::somewhere, Right::read);
    case Target::Kind::admin: return need_of_service(method, target);
    case Target::Kind::listing:
    case Target::Kind::artifact: return need(Where::space, right_below_namespace(method), target.name_space);
  }
  return need(Where::everywhere, Right::admin);
}

// Browsers send Origin with all that is neither GET nor HEAD (Fetch, section 3.2), and under a name
// that was bound to this address anew, too. "none": somebody typed the address.
bool is_change_by_web_page(const Request& request) {
  switch (request.method) {
    case Method::get:
    case Method::head:
    case Method::options:
    case Method::propfind: return false;
    default: break;
  }
  const std::string& site = request.sec_fetch_site;
  return !request.origin.empty() || !(site.empty() || site == "same-origin" || site == "none");
}

}  // namespace larder::http
