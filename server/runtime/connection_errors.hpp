// What went wrong with a connection, in Asio's terms.
#pragma once

#include <boost/asio/error.hpp>
#include <cerrno>

#include "server/runtime/coroutine.hpp"
#include "server/runtime/tls_engine.hpp"

namespace larder {

inline ErrorCode system_error(int error_number) {
  return ErrorCode(error_number, boost::system::system_category());
}

inline ErrorCode error_of(TlsEngine::Progress progress) {
  switch (progress) {
    case TlsEngine::Progress::done: return {};
    case TlsEngine::Progress::wants_read:
    case TlsEngine::Progress::wants_write: return asio::error::try_again;
    case TlsEngine::Progress::ended: return asio::error::eof;
    case TlsEngine::Progress::cut: return asio::error::connection_aborted;
    case TlsEngine::Progress::broken: break;
  }
  return {EPROTO, boost::system::system_category()};
}

}  // namespace larder
