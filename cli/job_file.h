// What the commands that take a job file share: reading it, `--param` and `--set`, and showing what is wrong with it.
#pragma once

#include <optional>
#include <string>

#include "cli/arguments.h"
#include "plan/planner.h"

namespace millrace {

struct JobFile {
  std::string path;  // as the user wrote it
  std::string text;
};

/// "-" is standard input.
Result<JobFile> read_job_file(const std::string& path);

/// From `--param name=value` and `--set path=value`; the error is a sentence. The environment is the process's.
std::expected<SpecOverrides, std::string> overrides_of(const Arguments& arguments);

/// Whether `descriptor` (1 or 2) is a terminal and NO_COLOR is not set.
bool color_wanted(int descriptor);

/// All diagnostics as text to standard error. `lints`: also warnings.
void print_diagnostics(const PlannedJob& job, const JobFile& file, bool lints = true);

/// "2 errors, 1 warning"
std::string count_text(const Diagnostics& diagnostics);

/// Standard error: why the job file cannot be read. Answers the exit code 2.
int file_error(const Error& error);

/// Standard error: why an operation on a job's directory failed. Answers the exit code: 4 when the state refuses, 3
/// when a server cannot be reached, else 1.
int operation_error(const Error& error);

/// Standard error: "millrace validate: MESSAGE" and how the command is used. Answers the exit code 2.
int usage_error(std::string_view command, std::string_view message, std::string_view usage);

}  // namespace millrace
