#include "cli/sink_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>

#include "cli/job_file.h"
#include "cli/job_output.h"
#include "cli/usage.h"
#include "core/storage.h"
#include "runtime/exactly_once/segment.h"

namespace millrace {

namespace {

constexpr uint64_t kShownMax = 1'000;

template <class Number>
bool read_whole_number(std::string_view text, Number& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && stop == text.data() + text.size() && !text.empty();
}

/// "17,20-22", ascending and each once.
std::optional<std::vector<uint64_t>> read_row_list(std::string_view text) {
  std::vector<uint64_t> rows;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view one = text.substr(0, comma);
    const size_t dash = std::min(one.find('-'), one.size());
    uint64_t first = 0;
    uint64_t last = 0;
    if (!read_whole_number(one.substr(0, dash), first)) return std::nullopt;
    last = first;
    if (dash < one.size() && !read_whole_number(one.substr(dash + 1), last)) return std::nullopt;
    if (last < first || last - first > 1'000'000) return std::nullopt;
    for (uint64_t row = first; row <= last; ++row) rows.push_back(row);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

struct SinkRequest {
  std::string directory;
  std::string sink;
  uint32_t lane = 0;
  int64_t epoch = 0;  // 0: not given
  uint32_t part = 0;
  std::vector<uint64_t> rows;
  std::string to;
};

Result<SinkRequest> read_sink_request(const Arguments& arguments) {
  SinkRequest request;
  request.directory = arguments.words[1];
  request.sink = arguments.words[2];
  request.to = arguments.option("--to");
  if (!read_whole_number(arguments.option("--lane", "0"), request.lane)) {
    return make_error(ErrorCode::kBadValue, "--lane wants a number");
  }
  if (!read_whole_number(arguments.option("--epoch", "0"), request.epoch)) {
    return make_error(ErrorCode::kBadValue, "--epoch wants a number");
  }
  if (!read_whole_number(arguments.option("--part", "0"), request.part)) {
    return make_error(ErrorCode::kBadValue, "--part wants a number");
  }
  auto rows = read_row_list(arguments.option("--rows"));
  if (!rows) return make_error(ErrorCode::kBadValue, "--rows wants numbers, as 17 or 17,20-22");
  request.rows = std::move(*rows);
  return request;
}

/// A part of an entry, with the numbers of its rows as the target's messages count them.
struct WaitingPart {
  std::string path;
  SegmentPart border;
  std::vector<uint64_t> skipped;
};

Result<WaitingPart> find_waiting_part(const JobOutput& job, const SinkOutput& sink, const SinkRequest& request) {
  const auto lane = sink.lanes.find(request.lane);
  if (lane != sink.lanes.end()) {
    for (const auto& entry : lane->second.state.entries) {
      if (entry->data.epoch != request.epoch || request.part >= entry->data.parts.size()) continue;
      if (lane->second.covers(request.epoch, request.part)) {
        return make_error(ErrorCode::kRefusedByState, "this output is published already");
      }
      const std::string path = job.segment_path(*entry);
      MR_ASSIGN(std::vector<uint64_t> skipped, read_skipped_rows(storage(), path, request.part));
      return WaitingPart{path, entry->data.parts[request.part], std::move(skipped)};
    }
  }
  return make_error(ErrorCode::kNotFound,
                    fmt::format("sink {}: no epoch {} with part {} waits in lane {}", request.sink, request.epoch,
                                request.part, request.lane),
                    "`millrace sink show` without --epoch lists what waits");
}

/// Text of the wanted rows (of all, up to a limit, when none are named) by number.
Result<std::map<uint64_t, std::string>> texts_of(const WaitingPart& part, const ExactlyOnceTarget& target,
                                                 const std::vector<uint64_t>& wanted) {
  MR_ASSIGN(const auto reader, SegmentPartReader::open(storage(), part.path, part.border, part.skipped));
  std::map<uint64_t, std::string> texts;
  std::string_view row;
  for (uint64_t number = 0;; ++number) {
    MR_ASSIGN(const bool more, reader->next(row));
    if (!more) return texts;
    const bool all = wanted.empty() && texts.size() < kShownMax;
    if (all || std::ranges::binary_search(wanted, number)) texts[number] = target.row_text(row);
  }
}

void list_waiting(const SinkOutput& sink) {
  for (const auto& [number, lane] : sink.lanes) {
    for (const auto& entry : lane.state.entries) {
      for (uint32_t part = 0; part < entry->data.parts.size(); ++part) {
        if (lane.covers(entry->data.epoch, part)) continue;
        fmt::print("lane {}  epoch {}  part {}  {} rows  for {}\n", number, entry->data.epoch, part,
                   entry->data.parts[part].rows, entry->data.target);
      }
    }
  }
}

/// Numbers without the skipped rows become numbers within the part.
std::vector<uint64_t> with_more_skipped(const WaitingPart& part, const std::vector<uint64_t>& rows) {
  std::vector<uint64_t> skipped = part.skipped;
  uint64_t number = 0;
  for (uint64_t row = 0; row < part.border.rows; ++row) {
    if (std::ranges::binary_search(part.skipped, row)) continue;
    if (std::ranges::binary_search(rows, number++)) skipped.push_back(row);
  }
  std::ranges::sort(skipped);
  return skipped;
}

Status skip_rows(const JobOutput& job, const SinkRequest& request, const WaitingPart& part,
                 const ExactlyOnceTarget& target) {
  FileSystem& fs = storage();
  MR_ASSIGN(const auto texts, texts_of(part, target, request.rows));
  if (texts.size() != request.rows.size()) {
    return make_error(ErrorCode::kNotFound, fmt::format("the part has no row {}", request.rows.back()));
  }
  const std::string to = request.to.empty()
                             ? join_path(job.directory(), fmt::format("skipped-{}-{}-{}-{}.txt", request.sink,
                                                                      request.lane, request.epoch, request.part))
                             : request.to;
  std::string kept;
  for (const auto& [number, text] : texts) kept += text + "\n";
  // The rows are safe before they leave the output.
  Result<std::string> before = fs.read_all(to);
  if (!before && before.error().code != ErrorCode::kNotFound) return std::unexpected(before.error());
  MR_TRY(write_file_durably(fs, to, before.value_or("") + kept));
  MR_TRY(write_skipped_rows(fs, part.path, request.part, with_more_skipped(part, request.rows)));
  fmt::print("{} rows moved to {}; start the job again\n", texts.size(), to);
  return {};
}

Status run_sink_command(bool skip, const SinkRequest& request, const Registry& registry) {
  MR_ASSIGN(const auto job, JobOutput::open(request.directory, false, registry));
  SinkOutput* sink = job->find(request.sink);
  if (sink == nullptr) {
    return make_error(ErrorCode::kUnknownName, "the job has no sink `" + request.sink + "` that publishes epochs");
  }
  MR_ASSIGN(const ExactlyOnceTargetPtr target, job->open_target(*sink));
  MR_TRY(job->read_markers(*sink, *target));
  if (request.epoch == 0) {
    list_waiting(*sink);
    return {};
  }
  MR_ASSIGN(const WaitingPart part, find_waiting_part(*job, *sink, request));
  if (skip) return skip_rows(*job, request, part, *target);
  MR_ASSIGN(const auto texts, texts_of(part, *target, request.rows));
  for (const auto& [number, text] : texts) fmt::print("{}\t{}\n", number, text);
  return {};
}

}  // namespace

int command_sink(const std::vector<std::string>& args, const Registry& registry) {
  const auto arguments = parse_arguments(args, {{}, {"--lane", "--epoch", "--part", "--rows", "--to"}, 3, 3});
  if (!arguments) return usage_error("sink", arguments.error(), kSinkUsage);
  const bool skip = arguments->words[0] == "skip";
  if (!skip && arguments->words[0] != "show") return usage_error("sink", "show or skip?", kSinkUsage);
  const auto request = read_sink_request(*arguments);
  if (!request) return usage_error("sink", request.error().message, kSinkUsage);
  if (skip && (request->epoch == 0 || request->rows.empty())) {
    return usage_error("sink", "skip wants --epoch and --rows", kSinkUsage);
  }
  const Status done = run_sink_command(skip, *request, registry);
  return done ? 0 : operation_error(done.error());
}

}  // namespace millrace
