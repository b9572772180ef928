// The task managers that are registered, their slots, and who has which. A job gets its slots spread evenly, the task
// manager with the most free ones first. Any thread; callbacks are called without a lock held.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "jobmanager/job_control.h"
#include "jobmanager/slot_pool.h"

namespace millrace {

class TaskManagers final : public SlotPool {
 public:
  /// `slots_changed`: there may be slots where there were none; called whenever slots come or are given back.
  explicit TaskManagers(std::function<void()> slots_changed) : slots_changed_(std::move(slots_changed)) {}

  using Send = std::function<void(ToTaskManager)>;
  void add(TaskManagerView view, Send send);
  /// Jobs that had slots there.
  std::vector<std::string> remove(const std::string& id);
  void report(const std::string& id, std::vector<MetricSample> samples, int64_t now_ms);

  [[nodiscard]] std::vector<TaskManagerView> views() const;
  /// Of one job, from all task managers.
  [[nodiscard]] std::vector<MetricSample> samples(const std::string& job_id) const;
  /// millrace_taskmanager_slots and the like.
  void collect(std::vector<MetricSample>& samples) const;

  // SlotPool.
  std::optional<SlotAllocation> allocate(const std::string& job_id, uint32_t slots) override;
  void release(const std::string& job_id) override;
  [[nodiscard]] std::string shortage(uint32_t slots) const override;
  void send(const std::string& task_manager, ToTaskManager message) override;

 private:
  struct Entry {
    TaskManagerView view;
    Send send;
    std::map<std::string, uint32_t> taken;  // slots by job
    std::vector<MetricSample> samples;
    [[nodiscard]] uint32_t free() const;
  };

  std::function<void()> slots_changed_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace millrace
