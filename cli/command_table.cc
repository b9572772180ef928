#include "cli/command_table.h"

#include "cli/audit.h"
#include "cli/cluster_commands.h"
#include "cli/completion.h"
#include "cli/doctor.h"
#include "cli/eval.h"
#include "cli/explain.h"
#include "cli/plan_command.h"
#include "cli/run.h"
#include "cli/schema.h"
#include "cli/server.h"
#include "cli/sink_command.h"
#include "cli/state_command.h"
#include "cli/submit_command.h"
#include "cli/tap_command.h"
#include "cli/test_command.h"
#include "cli/top_command.h"
#include "cli/usage.h"
#include "cli/validate.h"
#include "cli/version.h"

namespace millrace {

namespace {

constexpr Command kCommands[] = {
    {"demo", command_demo, "a job on generated data, until Ctrl-C", kDemoUsage},
    {"run", command_run, "run a job file in this process", kRunUsage},
    {"validate", command_validate, "every mistake of a job file, with a caret and a hint", kValidateUsage},
    {"plan", command_plan, "operators, chains, exchanges, state and delivery of a job file", kPlanUsage},
    {"test", command_test, "the tests: block of a job file, in virtual time", kTestUsage},
    {"audit", command_audit, "the output of a job's exactly-once sinks against its commit markers", kAuditUsage},
    {"sink", command_sink, "rows that wait for their target: show them, skip refused ones", kSinkUsage},
    {"state", command_state, "rows that a job keeps: of a running job, a checkpoint, a savepoint", kStateUsage},
    {"doctor", command_doctor, "why a running job has no output", kDoctorUsage},
    {"jobmanager", command_jobmanager, "the control process of a cluster: jobs, checkpoints, REST", kJobManagerUsage},
    {"taskmanager", command_taskmanager, "a worker process of a cluster", kTaskManagerUsage},
    {"cluster", command_cluster, "a job manager and a task manager in one process", kClusterUsage},
    {"submit", command_submit, "start a job on a running cluster", kSubmitUsage},
    {"list", command_list, "jobs of a cluster", kListUsage},
    {"status", command_status, "one job of a cluster and its steps", kStatusUsage},
    {"top", command_top, "live table of jobs and steps", kTopUsage},
    {"cancel", command_cancel, "end a job; its state is not used again", kCancelUsage},
    {"stop", command_stop, "end a job with a savepoint", kStopUsage},
    {"savepoint", command_savepoint, "save a job's state and let it go on", kSavepointUsage},
    {"checkpoints", command_checkpoints, "the last checkpoints and savepoints of a job; changes its settings",
     kCheckpointsUsage},
    {"rescale", command_rescale, "go on with another parallelism", kRescaleUsage},
    {"upgrade", command_upgrade, "replace a job's file and keep its state", kUpgradeUsage},
    {"tap", command_tap, "rows that leave a step of a running job", kTapUsage},
    {"logs", command_logs, "what happened to a job: states, failures, checkpoints", kLogsUsage},
    {"eval", [](const std::vector<std::string>& args, const Registry&) { return command_eval(args); },
     "one expression, or one a line with --json", kEvalUsage},
    {"schema", command_schema, "the JSON Schema of the job file, for editors", kSchemaUsage},
    {"explain", command_explain, "what an error code means and what to do", kExplainUsage},
    {"completion", command_completion, "completion of commands and options for a shell", kCompletionUsage},
    {"version", command_version, "version and build", kVersionUsage},
};

}  // namespace

std::span<const Command> command_table() { return kCommands; }

}  // namespace millrace
