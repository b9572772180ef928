// How a job starts: the options of `millrace run` and `millrace submit`.
#pragma once

#include "state/protocol/start_decision.h"

namespace millrace {

struct SubmitOptions {
  StartRequest start;
  bool until_done = false;
  bool allow_dropped_state = false;   // restore though the job lacks a step that has state
  bool republish = false;             // sinks go on from a state older than their markers
  bool accept_lost_progress = false;  // sinks go on though their markers are gone
};

}  // namespace millrace
