#include "cli/audit.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/job_file.h"
#include "cli/job_output.h"
#include "cli/usage.h"
#include "core/storage.h"

namespace millrace {

namespace {

/// What the marker says against what the state knows of it.
std::string marker_finding(const SinkOutput& sink, uint32_t number, const SinkLane& lane, int64_t checkpoint_id) {
  const auto& remembered = lane.state.remembered;
  if (remembered && (!lane.marker || EpochPart{lane.marker->epoch, lane.marker->part} < *remembered)) {
    return fmt::format("lane {}: the commit marker is missing or older than the state remembers (epoch {}, part {})",
                       number, remembered->epoch, remembered->part);
  }
  if (!lane.marker) return {};
  const CommitMarker& marker = *lane.marker;
  if (marker.epoch > checkpoint_id) {
    return fmt::format("lane {}: output up to epoch {} is published, but the newest state is of checkpoint {}", number,
                       marker.epoch, checkpoint_id);
  }
  if (marker.parts == 0) return {};  // a claim after a loss or a repetition that was accepted
  const auto entry = sink.entries.find({number, marker.epoch});
  if (entry == sink.entries.end()) return {};
  const auto& parts = entry->second->data.parts;
  if (marker.part < parts.size() && marker.parts == parts.size() && marker.crc == parts[marker.part].crc) return {};
  return fmt::format("lane {}: the marker of epoch {} does not fit the rows that were written ahead", number,
                     marker.epoch);
}

/// The parts that markers cover and whose rows are still at hand.
Result<std::vector<PublishedPart>> published_parts(const JobOutput& job, const SinkOutput& sink, uint64_t& rows) {
  FileSystem& fs = storage();
  std::vector<PublishedPart> published;
  for (const auto& [place, entry] : sink.entries) {
    const auto& [number, epoch] = place;
    const std::string path = job.segment_path(*entry);
    const auto lane = sink.lanes.find(number);
    if (lane == sink.lanes.end()) continue;
    MR_ASSIGN(const bool at_hand, fs.contains(path));
    if (!at_hand) continue;
    const auto& parts = entry->data.parts;
    for (uint32_t part = 0; part < parts.size() && lane->second.covers(epoch, part); ++part) {
      MR_ASSIGN(std::vector<uint64_t> skipped, read_skipped_rows(fs, path, part));
      CommitMarker marker = *lane->second.marker;
      marker.epoch = epoch;
      marker.part = part;
      marker.parts = static_cast<uint32_t>(parts.size());
      marker.rows = parts[part].rows - skipped.size();
      marker.crc = parts[part].crc;
      rows += marker.rows;
      MR_ASSIGN(auto reader, SegmentPartReader::open(fs, path, parts[part], std::move(skipped)));
      published.push_back({job.lane_id(sink, number), marker, entry->data.target, std::move(reader)});
    }
  }
  return published;
}

/// Prints the sink's lanes; answers how much is wrong.
Result<size_t> audit_sink(const JobOutput& job, SinkOutput& sink) {
  MR_ASSIGN(const ExactlyOnceTargetPtr target, job.open_target(sink));
  MR_TRY(job.read_markers(sink, *target));
  std::vector<std::string> findings;
  for (const auto& [number, lane] : sink.lanes) {
    std::string line = fmt::format("{}  lane {}: ", sink.sink, number);
    if (!lane.marker || lane.marker->epoch == 0) {
      line += "nothing published";
    } else {
      line += fmt::format("published up to epoch {}", lane.marker->epoch);
      if (lane.marker->parts > 0) line += fmt::format(", part {} of {}", lane.marker->part + 1, lane.marker->parts);
      line += fmt::format(", by attempt {}", lane.marker->generation);
    }
    fmt::print("{}; {} rows pending\n", line, lane.pending_rows());
    if (std::string finding = marker_finding(sink, number, lane, job.checkpoint_id()); !finding.empty()) {
      findings.push_back(std::move(finding));
    }
  }
  uint64_t rows = 0;
  MR_ASSIGN(std::vector<PublishedPart> parts, published_parts(job, sink, rows));
  const size_t count = parts.size();
  auto compared = target->audit(std::move(parts));
  if (compared) {
    fmt::print("{}  compared with {}: {} rows of {} parts\n", sink.sink, target->target(), rows, count);
    findings.insert(findings.end(), compared->begin(), compared->end());
  } else if (compared.error().code == ErrorCode::kNotSupportedYet) {
    fmt::print("{}  {}\n", sink.sink, compared.error().message);
  } else {
    return std::unexpected(std::move(compared).error());
  }
  for (const std::string& finding : findings) fmt::print("{}  WRONG: {}\n", sink.sink, finding);
  return findings.size();
}

}  // namespace

int command_audit(const std::vector<std::string>& args, const Registry& registry) {
  const auto arguments = parse_arguments(args, {{}, {}, 1, 1});
  if (!arguments) return usage_error("audit", arguments.error(), kAuditUsage);
  const auto job = JobOutput::open(arguments->words[0], false, registry);
  if (!job) return operation_error(job.error());
  const JobRecord& record = (*job)->record();
  fmt::print("job {} ({}), attempt {}, checkpoint {}\n", record.name, record.job_id.to_string(), record.attempt,
             (*job)->checkpoint_id());
  if ((*job)->sinks().empty()) fmt::print("no sink of the job publishes epochs exactly once\n");
  size_t wrong = 0;
  for (SinkOutput& sink : (*job)->sinks()) {
    const Result<size_t> findings = audit_sink(**job, sink);
    if (!findings) return operation_error(Error(findings.error()).with_context("sink " + sink.sink));
    wrong += *findings;
  }
  fmt::print("{}\n", wrong == 0 ? "as it should be" : fmt::format("{} findings", wrong));
  return wrong == 0 ? 0 : 1;
}

}  // namespace millrace
