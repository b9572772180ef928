// Exactly once into a table: rows and the lane's marker in one transaction. The markers are rows of the table
// `millrace_progress` beside the output, made on first use; whoever writes a lane holds the lock of its row, so the
// last transaction of an older owner is settled before the marker is read. An owner that froze with the lock loses its
// session after 5 s.
#pragma once

#include "plan/job_graph.h"
#include "runtime/spi/exactly_once.h"

namespace millrace {

ExactlyOnceTargetPtr make_pg_target(SinkConfig config);

}  // namespace millrace
