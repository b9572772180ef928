#include "http/metrics_page.h"

#include <dirent.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "core/file_system.h"

namespace millrace {

namespace {

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      break;
  }
  return prometheus::MetricType::Histogram;
}

void set_value(const MetricSample& sample, prometheus::ClientMetric& metric) {
  switch (sample.kind) {
    case MetricKind::kCounter:
      metric.counter.value = sample.value;
      return;
    case MetricKind::kGauge:
      metric.gauge.value = sample.value;
      return;
    case MetricKind::kHistogram:
      break;
  }
  metric.histogram.sample_sum = sample.value;
  for (const auto& [up_to, count] : sample.buckets) {
    metric.histogram.bucket.push_back({static_cast<uint64_t>(count), up_to});
    metric.histogram.sample_count = static_cast<uint64_t>(count);
  }
}

}  // namespace

std::string render_metrics(const std::vector<MetricSample>& samples) {
  std::vector<prometheus::MetricFamily> families;
  std::map<std::string, size_t> index;
  for (const MetricSample& sample : samples) {
    const auto [at, added] = index.emplace(sample.name, families.size());
    if (added) {
      prometheus::MetricFamily family;
      family.name = sample.name;
      family.help = sample.help;
      family.type = type_of(sample.kind);
      families.push_back(std::move(family));
    }
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
    set_value(sample, metric);
    families[at->second].metric.push_back(std::move(metric));
  }
  return prometheus::TextSerializer().Serialize(families);
}

namespace {

double resident_bytes() {
  long pages = 0;
  long resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  double count = 0;
  if (DIR* directory = opendir("/proc/self/fd")) {
    while (readdir(directory) != nullptr) ++count;
    closedir(directory);
  }
  return count > 3 ? count - 3 : 0;  // ".", ".." and the directory itself
}

double leading_number(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Boot time plus the start of the process in ticks after it (proc(5)); 0 when unknown.
double read_start_time() {
  FileSystem& fs = local_file_system();
  const std::string stat = fs.read_all("/proc/self/stat").value_or("");
  const std::string kernel = fs.read_all("/proc/stat").value_or("");
  const size_t boot_at = kernel.find("\nbtime ");
  size_t at = stat.rfind(')');  // the command's name before it may hold anything
  if (boot_at == std::string::npos || at == std::string::npos) return 0;
  constexpr int kFieldsToStart = 20;  // field 22, counted from the blank in front of field 3
  for (int field = 0; field < kFieldsToStart && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  const double boot = leading_number(std::string_view(kernel).substr(boot_at + 7));
  const double ticks = leading_number(std::string_view(stat).substr(at + 1));
  return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double start_time_seconds() {
  static const double start = read_start_time();
  return start;
}

}  // namespace

void collect_process_metrics(std::vector<MetricSample>& samples) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  samples.push_back(
      {"process_resident_memory_bytes", "Resident memory size in bytes.", MetricKind::kGauge, {}, resident_bytes()});
  samples.push_back(
      {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", MetricKind::kCounter, {}, cpu});
  samples.push_back(
      {"process_open_fds", "Number of open file descriptors.", MetricKind::kGauge, {}, open_descriptors()});
  samples.push_back({"process_start_time_seconds",
                     "Start time of the process since unix epoch in seconds.",
                     MetricKind::kGauge,
                     {},
                     start_time_seconds()});
}

}  // namespace millrace
