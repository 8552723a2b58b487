// The coroutine dialect of the house. Executors are concrete types, which costs
// less than any_io_executor on every operation.
//
// g++ 12 miscompiles some expressions built inside `co_await …` (see
// ARCHITECTURE.md): name every argument on the line above.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace larder {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

using LoopExecutor = asio::io_context::executor_type;
template <typename T>
using Task = asio::awaitable<T, LoopExecutor>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, LoopExecutor>;
using SteadyTime = std::chrono::steady_clock::time_point;

inline constexpr asio::use_awaitable_t<LoopExecutor> k_as_task{};
// co_await gives tuple<ErrorCode, …> instead of throwing.
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> k_as_outcome{k_as_task};

}  // namespace larder
