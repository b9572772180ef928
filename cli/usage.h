// What each command takes, in one place: `millrace COMMAND --help` prints it, and wrong arguments are answered with it.
#pragma once

#include <string_view>

namespace millrace {

constexpr std::string_view kDemoUsage = "millrace demo [--listen host:port]";
constexpr std::string_view kRunUsage =
    "millrace run job.yaml [--param k=v] [--set path=value] [--restore PATH | --fork PATH | --fresh] [--take-over]\n"
    "           [--republish] [--accept-lost-progress] [--allow-dropped-state] [--until-done] [--sinks print]\n"
    "           [--limit n] [--stop-timeout 30s] [--listen host:port]";
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
constexpr std::string_view kDoctorUsage = "millrace doctor JOB [STEP] [--address HOST:PORT] [--output json]";
constexpr std::string_view kEvalUsage = "millrace eval EXPR | millrace eval --json [--schema \"a INT, …\" --row JSON]";
constexpr std::string_view kSchemaUsage = "millrace schema [--reference]";
constexpr std::string_view kExplainUsage = "millrace explain [CODE]";
constexpr std::string_view kVersionUsage = "millrace version";

}  // namespace millrace
