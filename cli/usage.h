// What each command takes, in one place: `millrace COMMAND --help` prints it, and wrong arguments are answered with it.
#pragma once

#include <string_view>

namespace millrace {

constexpr std::string_view kDemoUsage = "millrace demo [--listen host:port]";
constexpr std::string_view kRunUsage =
    "millrace run job.yaml [--param k=v] [--set path=value] [--restore PATH | --fork PATH | --fresh] [--take-over]\n"
    "           [--republish] [--accept-lost-progress] [--allow-dropped-state] [--until-done] [--sinks print]\n"
    "           [--limit n] [--memory 2GB] [--stop-timeout 30s] [--listen host:port]";
constexpr std::string_view kValidateUsage =
    "millrace validate job.yaml [--connect] [--format text|json|sarif|github] [--deny-warnings] [--param k=v] "
    "[--set path=value]";
constexpr std::string_view kPlanUsage =
    "millrace plan job.yaml [--against CHECKPOINT] [--format text|dot|json] [--param k=v] [--set path=value]";
constexpr std::string_view kTestUsage =
    "millrace test job.yaml [--filter NAME] [--update] [--chaos SEED] [--junit FILE] [--param k=v] [--set path=value]";
constexpr std::string_view kAuditUsage = "millrace audit JOB_DIRECTORY";
constexpr std::string_view kSinkUsage =
    "millrace sink show JOB_DIRECTORY SINK [--lane L --epoch N [--part P] [--rows 17,20-22]]\n"
    "       millrace sink skip JOB_DIRECTORY SINK --lane L --epoch N [--part P] --rows 17,20-22 [--to FILE]";
constexpr std::string_view kStateUsage =
    "millrace state list WHERE\n"
    "       millrace state get WHERE --step STEP --name STATE --key COLUMN=VALUE...\n"
    "       millrace state scan WHERE [--step STEP] [--name STATE]\n"
    "       millrace state diff CHECKPOINT CHECKPOINT [--step STEP] [--name STATE]\n"
    "           [--limit n] [--address HOST:PORT] [--output table|json|yaml]\n\n"
    "WHERE: a chk-<id> directory, a savepoint, a job's directory (its newest checkpoint), or a running job";
constexpr std::string_view kDoctorUsage = "millrace doctor JOB [STEP] [--address HOST:PORT] [--output table|json|yaml]";
// Against a running cluster; all take --address (else MILLRACE_ADDRESS) and --output table|json|yaml.
constexpr std::string_view kSubmitUsage =
    "millrace submit job.yaml [--wait] [--dry-run] [--param k=v] [--set path=value] [--restore PATH | --fork PATH | "
    "--fresh]\n"
    "           [--take-over] [--until-done] [--republish] [--accept-lost-progress] [--allow-dropped-state]\n"
    "           [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kUpgradeUsage =
    "millrace upgrade JOB job.yaml [--allow-dropped-state] [--param k=v] [--set path=value] [--address HOST:PORT] "
    "[--output table|json|yaml]";
constexpr std::string_view kListUsage = "millrace list [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kStatusUsage = "millrace status JOB [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kCancelUsage =
    "millrace cancel JOB [--now] [--address HOST:PORT] [--output table|json|yaml]\n\n"
    "--now: without publishing the output of completed checkpoints first";
constexpr std::string_view kStopUsage =
    "millrace stop JOB [--drain] [--no-savepoint] [--directory PATH] [--address HOST:PORT] [--output "
    "table|json|yaml]\n\n"
    "prints the savepoint's path; --drain: all windows fire first, and the job cannot go on from there";
constexpr std::string_view kSavepointUsage =
    "millrace savepoint JOB [--directory PATH] [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kCheckpointsUsage =
    "millrace checkpoints JOB [--set interval=5s]... [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kRescaleUsage =
    "millrace rescale JOB PARALLELISM [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kTapUsage =
    "millrace tap JOB STEP [--limit n] [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kLogsUsage = "millrace logs JOB [--address HOST:PORT] [--output table|json|yaml]";
constexpr std::string_view kTopUsage = "millrace top [JOB] [--interval 1s] [--once] [--address HOST:PORT]";
constexpr std::string_view kCompletionUsage = "millrace completion bash|zsh|fish";
constexpr std::string_view kEvalUsage = "millrace eval EXPR | millrace eval --json [--schema \"a INT, …\" --row JSON]";
constexpr std::string_view kSchemaUsage = "millrace schema [--reference]";
constexpr std::string_view kExplainUsage = "millrace explain [CODE]";
constexpr std::string_view kJobManagerUsage =
    "millrace jobmanager [--config FILE] [--set key=value]... [--insecure] [--describe]";
constexpr std::string_view kTaskManagerUsage =
    "millrace taskmanager [--config FILE] [--set key=value]... [--insecure] [--describe]";
constexpr std::string_view kClusterUsage =
    "millrace cluster [--config FILE] [--set key=value]... [--insecure] [--describe]";
constexpr std::string_view kVersionUsage = "millrace version";

}  // namespace millrace
