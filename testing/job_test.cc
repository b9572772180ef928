#include "testing/job_test.h"

#include <charconv>
#include <chrono>

#include "core/random.h"
#include "data/number_text.h"
#include "testing/expectation.h"
#include "testing/job_under_test.h"

namespace millrace {
namespace {

Result<int64_t> control_number(const Located& value, std::string_view name) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  if (error != std::errc() || end != value.text.data() + value.text.size()) {
    return make_error(ErrorCode::kBadValue, "line " + std::to_string(value.position.line) + ": " + std::string(name) +
                                                " needs a number, not `" + value.text + "`");
  }
  return number;
}

/// "90s" or a number of milliseconds.
Result<int64_t> control_duration(const Located& value) {
  static constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const size_t digits = value.text.find_first_not_of("0123456789");
  if (digits == std::string::npos) return control_number(value, "$advance_clock");
  for (const auto& [unit, factor] : kUnits) {
    if (value.text.substr(digits) != unit || digits == 0) continue;
    const std::optional<int64_t> number = parse_int64(std::string_view(value.text).substr(0, digits));
    if (number) return *number * factor;
  }
  return make_error(ErrorCode::kBadValue, "line " + std::to_string(value.position.line) + ": `" + value.text +
                                              "` is not a duration such as 30s");
}

Located without_controls(const Located& row) {
  Located plain = row;
  std::erase_if(plain.entries, [](const Located::Entry& entry) { return entry.key.starts_with("$"); });
  return plain;
}

/// Rows with `$repeat: n` written out.
Located expand_repeats(const Located& rows) {
  Located expanded = rows;
  expanded.items.clear();
  for (const Located& row : rows.items) {
    const Located* repeat = row.find("$repeat");
    int64_t times = 1;
    if (repeat != nullptr) times = control_number(*repeat, "$repeat").value_or(1);
    for (int64_t i = 0; i < times; ++i) expanded.items.push_back(without_controls(row));
  }
  return expanded;
}

class TestRun {
 public:
  TestRun(JobUnderTest& job, std::optional<uint64_t> chaos, bool may_rescale)
      : job_(job), chaos_(chaos.has_value()), random_(chaos.value_or(0)), may_rescale_(may_rescale) {}

  Status give(const Located& given) {
    for (const Located::Entry& source : given.entries) {
      if (!job_.has_feed(source.key)) {
        return make_error(ErrorCode::kUnknownName, "line " + std::to_string(source.key_position.line) + ": `" +
                                                       source.key + "` is not a source of this job");
      }
      for (const Located& entry : source.value.items) MR_TRY(give_entry(source.key, entry));
    }
    return {};
  }
  [[nodiscard]] uint32_t disturbances() const { return disturbances_; }

 private:
  Status give_entry(const std::string& source, const Located& entry) {
    if (entry.kind != Located::Kind::kMap) {
      return make_error(ErrorCode::kWrongShape, "line " + std::to_string(entry.position.line) +
                                                    ": a row is a mapping such as {user: u1, n: 5}");
    }
    int64_t repeat = 1;
    bool is_row = entry.entries.empty();
    for (const Located::Entry& field : entry.entries) {
      if (field.key == "$repeat") {
        MR_ASSIGN(repeat, control_number(field.value, "$repeat"));
      } else if (field.key == "$raw" || !field.key.starts_with("$")) {
        is_row = true;
      } else {
        MR_TRY(control(source, field));
      }
    }
    for (int64_t i = 0; is_row && i < repeat; ++i) MR_TRY(give_row(source, entry));
    return {};
  }

  Status give_row(const std::string& source, const Located& entry) {
    const Located* raw = entry.find("$raw");
    const bool tombstone = raw != nullptr && raw->kind == Located::Kind::kNull;
    const std::string text = raw != nullptr ? raw->text : located_to_json(without_controls(entry));
    job_.feed(source).entries.push_back({tombstone ? FeedEntry::Kind::kTombstone : FeedEntry::Kind::kRecord, text, 0});
    MR_TRY(job_.settle());
    return disturb();
  }

  Status control(const std::string& source, const Located::Entry& field) {
    const std::string& key = field.key;
    if (key == "$advance_watermark_to") {
      MR_ASSIGN(const int64_t to, control_number(field.value, key));
      job_.feed(source).entries.push_back({FeedEntry::Kind::kWatermark, "", to});
      return job_.settle();
    }
    if (key == "$end_of_input") {
      job_.feed(source).entries.push_back({FeedEntry::Kind::kEnd, "", 0});
      return job_.settle();
    }
    if (key == "$advance_clock") {
      MR_ASSIGN(const int64_t by, control_duration(field.value));
      return job_.advance_clock(by);
    }
    if (key == "$checkpoint") return job_.checkpoint();
    if (key == "$crash") return job_.crash();
    if (key == "$restore") return job_.restore(0);
    if (key == "$rescale_to") {
      MR_ASSIGN(const int64_t to, control_number(field.value, key));
      if (to < 1 || to > 128) return make_error(ErrorCode::kBadValue, "$rescale_to is 1 to 128");
      return job_.restore(static_cast<uint32_t>(to));
    }
    return make_error(ErrorCode::kUnknownField,
                      "line " + std::to_string(field.key_position.line) + ": unknown control entry `" + key + "`",
                      "known: $repeat, $raw, $advance_watermark_to, $advance_clock, $checkpoint, $crash, $restore, "
                      "$rescale_to, $end_of_input");
  }

  /// Between rows: now and then a checkpoint, a crash, a restore, another parallelism.
  Status disturb() {
    if (!chaos_) return {};
    const uint64_t dice = random_.below(12);
    if (dice > 3) return {};
    ++disturbances_;
    if (dice == 0) return job_.checkpoint();
    if (dice == 1) return job_.crash();
    if (dice == 2 || !may_rescale_) return job_.restore(0);
    return job_.restore(1 + static_cast<uint32_t>(random_.below(3)));
  }

  JobUnderTest& job_;
  bool chaos_;
  SeededRandom random_;
  bool may_rescale_;
  uint32_t disturbances_ = 0;
};

std::string compare_all(JobUnderTest& job, const SpecTest& test, TestResult& result) {
  std::string details;
  for (const Located::Entry& wanted : test.expect.entries) {
    const std::vector<std::string>& lines = job.capture().lines(wanted.key);
    result.rows.emplace_back(wanted.key, lines);
    const ExpectationRules rules{test.ordered, test.exact, job.changelog(wanted.key) != Changelog::kAppend};
    const std::string difference = compare_rows(expand_repeats(wanted.value), lines, rules);
    if (!difference.empty()) details += "  `" + wanted.key + "`:\n" + difference;
  }
  return details;
}

}  // namespace

TestResult run_job_test(const PlannedJob& job, const SpecTest& test, const Registry& registry,
                        std::optional<uint64_t> chaos_seed) {
  const auto start = std::chrono::steady_clock::now();
  TestResult result;
  result.name = test.name;
  std::vector<std::string> observed;
  for (const Located::Entry& wanted : test.expect.entries) observed.push_back(wanted.key);
  Result<std::unique_ptr<JobUnderTest>> under_test = JobUnderTest::make(job.graph, observed, registry);
  if (!under_test) {
    result.details = "  " + under_test.error().to_string() + "\n";
    return result;
  }
  TestRun run(**under_test, chaos_seed, !test.ordered);
  const Status given = run.give(test.given);
  result.details = given ? compare_all(**under_test, test, result) : "  " + given.error().to_string() + "\n";
  result.passed = result.details.empty();
  result.disturbances = run.disturbances();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace millrace
