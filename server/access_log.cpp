#include "server/access_log.hpp"

namespace larder {

void AccessLog::write(const AccessRecord& record) {
  if (!writer_) return;
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  thread_local std::string line;  // its memory serves for the next
  line.clear();
  append_access(line, record, format_, now);
  writer_->add(line);
}

void AccessLog::flush() {
  if (writer_) writer_->flush();
}

}  // namespace larder
