// The parts of a JobView that remember: what happened lately, newest first, never more than a few of each.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"
#include "jobmanager/job_view.h"

namespace millrace {

JobFailure failure_of(const Error& error, int64_t now_ms);

void note_state(JobView& view, JobState state, int64_t now_ms);
/// The same failure from the same checkpoint again and again is named as such in the message.
void note_failure(JobView& view, JobFailure failure);

CheckpointView& note_checkpoint_started(JobView& view, int64_t id, int64_t now_ms, bool savepoint);
/// Null when it is not remembered (any more).
CheckpointView* find_checkpoint(JobView& view, int64_t id);

OperationView& note_operation(JobView& view, const std::string& trigger_id, OperationKind kind);
OperationView* find_operation(JobView& view, const std::string& trigger_id);
void operation_done(JobView& view, const std::string& trigger_id, std::string path);
void operation_failed(JobView& view, const std::string& trigger_id, JobFailure failure);

}  // namespace millrace
