// SIGINT and SIGTERM as a question everybody may ask. The first signal asks for
// a clean end; a second one ends the process at once.
#pragma once

#include <chrono>

namespace larder::client {

void catch_interrupts();
bool interrupted();

// Sleeps, but not past an interrupt. True when the whole time has passed.
bool wait_uninterrupted(std::chrono::milliseconds duration);

}  // namespace larder::client
