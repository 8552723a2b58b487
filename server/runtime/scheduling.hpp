// What the kernel's scheduler is told of our threads, so that answers do not wait behind work. Each is for
// the calling thread, needs no privilege, and changes nothing where the kernel refuses it.
#pragma once

namespace larder {

// Loops: turns as short as the kernel has them (0.1 ms, Linux 6.12 and later). Who asks for short turns gets
// them at once; it gets no larger share of the machine by that.
void schedule_as_loop();

// Threads that tidy up: behind all the others, on the disk, too.
void schedule_as_background();

}  // namespace larder
