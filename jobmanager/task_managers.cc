#include "jobmanager/task_managers.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

uint32_t TaskManagers::Entry::free() const {
  uint32_t used = 0;
  for (const auto& [job, slots] : taken) used += slots;
  return view.slots - std::min(used, view.slots);
}

void TaskManagers::add(TaskManagerView view, Send send) {
  {
    const std::lock_guard lock(mutex_);
    const std::string id = view.id;
    Entry& entry = entries_[id];
    entry.view = std::move(view);
    entry.send = std::move(send);
    entry.taken.clear();
  }
  slots_changed_();
}

std::vector<std::string> TaskManagers::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> jobs;
  const auto found = entries_.find(id);
  if (found == entries_.end()) return jobs;
  for (const auto& [job, slots] : found->second.taken) jobs.push_back(job);
  entries_.erase(found);
  return jobs;
}

void TaskManagers::report(const std::string& id, std::vector<MetricSample> samples, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.samples = std::move(samples);
  found->second.view.last_heartbeat_ms = now_ms;
}

std::vector<TaskManagerView> TaskManagers::views() const {
  const std::lock_guard lock(mutex_);
  std::vector<TaskManagerView> views;
  for (const auto& [id, entry] : entries_) {
    TaskManagerView& view = views.emplace_back(entry.view);
    view.slots_free = entry.free();
    for (const auto& [job, slots] : entry.taken) view.jobs.push_back(job);
  }
  return views;
}

std::vector<MetricSample> TaskManagers::samples(const std::string& job_id) const {
  const std::lock_guard lock(mutex_);
  std::vector<MetricSample> found;
  for (const auto& [id, entry] : entries_) {
    std::copy_if(entry.samples.begin(), entry.samples.end(), std::back_inserter(found),
                 [&](const MetricSample& sample) { return label_of(sample.labels, "job_id") == job_id; });
  }
  return found;
}

void TaskManagers::collect(std::vector<MetricSample>& samples) const {
  const std::lock_guard lock(mutex_);
  uint32_t all = 0;
  uint32_t free = 0;
  for (const auto& [id, entry] : entries_) {
    all += entry.view.slots;
    free += entry.free();
  }
  const auto gauge = [&](const char* name, const char* help, Labels labels, double value) {
    samples.push_back({name, help, MetricKind::kGauge, std::move(labels), value});
  };
  gauge("millrace_taskmanagers", "Registered task managers.", {}, static_cast<double>(entries_.size()));
  gauge("millrace_taskmanager_slots", "Slots of all task managers.", {{"state", "free"}}, free);
  gauge("millrace_taskmanager_slots", "Slots of all task managers.", {{"state", "used"}}, all - free);
}

std::optional<SlotAllocation> TaskManagers::allocate(const std::string& job_id, uint32_t slots) {
  const std::lock_guard lock(mutex_);
  uint32_t free = 0;
  for (auto& [id, entry] : entries_) {
    entry.taken.erase(job_id);  // of an earlier attempt
    free += entry.free();
  }
  if (free < slots) return std::nullopt;
  SlotAllocation allocation;
  std::map<std::string, uint32_t> member_of;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const auto most = std::max_element(entries_.begin(), entries_.end(),
                                       [](const auto& a, const auto& b) { return a.second.free() < b.second.free(); });
    most->second.taken[job_id] += 1;
    const auto [member, is_new] = member_of.try_emplace(most->first, allocation.members.size());
    if (is_new) allocation.members.push_back({most->first, most->second.view.data_address});
    allocation.slots.push_back(member->second);
  }
  return allocation;
}

void TaskManagers::release(const std::string& job_id) {
  bool any = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : entries_) any = entry.taken.erase(job_id) > 0 || any;
  }
  if (any) slots_changed_();
}

std::string TaskManagers::shortage(uint32_t slots) const {
  const std::lock_guard lock(mutex_);
  uint32_t all = 0;
  uint32_t free = 0;
  for (const auto& [id, entry] : entries_) {
    all += entry.view.slots;
    free += entry.free();
  }
  if (entries_.empty()) return fmt::format("needs {} slots, no task manager is registered", slots);
  return fmt::format("needs {} slots, {} of {} are free", slots, free, all);
}

void TaskManagers::send(const std::string& task_manager, ToTaskManager message) {
  Send send;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(task_manager);
    if (found == entries_.end()) return;
    send = found->second.send;
  }
  send(std::move(message));
}

}  // namespace millrace
