#include "server/access_log.hpp"

#include <spdlog/spdlog.h>

namespace larder {

void AccessLog::write(const AccessRecord& record) {
  if (!logger_) return;
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  logger_->info(format_access(record, format_, now));
}

void AccessLog::flush() {
  if (logger_) logger_->flush();
}

}  // namespace larder
