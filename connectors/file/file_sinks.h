// The writers of the `file` sink: one file, a directory of rolling files, or the end state of an updating stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/job_graph.h"
#include "runtime/spi/exactly_once.h"
#include "runtime/spi/format.h"
#include "runtime/spi/sink.h"

namespace millrace {

enum class IfExists : uint8_t { kAppend, kReplace, kFail };

struct FileSinkOptions {
  std::string path;
  IfExists if_exists = IfExists::kAppend;
  std::string header;       // first line of a new file, without line end; empty: none
  std::string extension;    // "jsonl", "csv", "txt"
  uint64_t roll_bytes = 0;  // 0: never
  int64_t roll_every_ms = 0;
};

// Layouts of what they keep.
inline constexpr std::string_view kSingleFileLayout = "path, length";
inline constexpr std::string_view kRollingLayout = "directory, job, lane: number, length";
/// With the columns, because lines are kept as they are written.
std::string final_state_layout(const Schema& schema);

/// One file: appended; a restore cuts it back to the checkpoint's length, so that it is complete and without repetition
/// when the job has finished. A reader that looks before may see rows that a crash takes back.
SinkWriterPtr make_single_file_writer(FileSinkOptions options, EncoderPtr encoder);

/// Files part-<job>-<subtask>-<number>.<extension> in a directory; a restore cuts the open one back and removes those
/// begun behind the checkpoint.
SinkWriterPtr make_directory_writer(FileSinkOptions options, EncoderPtr encoder);

/// Files part-<job>-<lane>-<epoch>[-<part>].<extension>, each published after its checkpoint completed, by rename.
ExactlyOnceTargetPtr make_directory_target(FileSinkOptions options, EncoderPtr encoder);

/// Collects the stream's rows in memory (part of the snapshots) and writes those that are left at the end, in the order
/// of `key` and then of all columns. `encoder` writes no `op`.
SinkWriterPtr make_final_state_writer(FileSinkOptions options, EncoderPtr encoder, SchemaPtr schema,
                                      Changelog changelog, std::vector<uint32_t> key);

}  // namespace millrace
