#include "server/live_config.hpp"

namespace larder {

void LiveConfig::take(Config config) {
  const std::lock_guard lock(mutex_);
  versions_.push_back(std::make_unique<const Config>(std::move(config)));
  current_.store(versions_.back().get(), std::memory_order_release);
}

std::vector<std::string> LiveConfig::reload(Config next) {
  const Config& now = **this;
  std::vector<std::string> needs_restart;
  const auto keep = [&](const char* key, auto& wanted, const auto& in_force) {
    if (wanted == in_force) return;
    needs_restart.emplace_back(key);
    wanted = in_force;
  };
  keep("data", next.data, now.data);
  keep("namespaces", next.namespaces, now.namespaces);
  keep("durability", next.durability, now.durability);
  keep("free_space_floor", next.free_space_floor, now.free_space_floor);
  keep("free_inode_floor", next.free_inode_floor, now.free_inode_floor);
  keep("index_cache", next.index_cache, now.index_cache);
  keep("index_memory", next.index_memory, now.index_memory);
  keep("content_memory", next.content_memory, now.content_memory);
  keep("content_files", next.content_files, now.content_files);
  keep("disk_threads", next.disk_threads, now.disk_threads);
  keep("loops", next.loops, now.loops);
  keep("allow_root", next.allow_root, now.allow_root);
  keep("sandbox", next.sandbox, now.sandbox);
  if (now.sandbox) {  // it was built around them
    keep("adopt_from", next.adopt_from, now.adopt_from);
    keep("checkout_to", next.checkout_to, now.checkout_to);
  }
  keep("http.listen", next.http.listen, now.http.listen);
  keep("http.listen_tls", next.http.listen_tls, now.http.listen_tls);
  keep("http.max_object_size", next.http.max_object_size, now.http.max_object_size);
  keep("http.max_connections", next.http.max_connections, now.http.max_connections);
  keep("http.max_connections_per_address", next.http.max_connections_per_address,
       now.http.max_connections_per_address);
  keep("ftp.listen", next.ftp.listen, now.ftp.listen);
  keep("ftp.listen_tls", next.ftp.listen_tls, now.ftp.listen_tls);
  keep("ftp.max_sessions", next.ftp.max_sessions, now.ftp.max_sessions);
  keep("ftp.max_sessions_per_address", next.ftp.max_sessions_per_address, now.ftp.max_sessions_per_address);
  keep("hashserv.listen", next.hashserv.listen, now.hashserv.listen);
  keep("hashserv.max_connections", next.hashserv.max_connections, now.hashserv.max_connections);
  keep("hashserv.max_connections_per_address", next.hashserv.max_connections_per_address,
       now.hashserv.max_connections_per_address);
  keep("access.tokens", next.access.tokens, now.access.tokens);
  keep("log.format", next.log.format, now.log.format);
  keep("log.file", next.log.file, now.log.file);
  keep("log.access", next.log.access, now.log.access);
  take(std::move(next));
  return needs_restart;
}

}  // namespace larder
