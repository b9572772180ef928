// Where a job's subtasks run. A slot holds one subtask of every chain of one job; a job gets all the slots it needs or
// none. The pool also carries the job's messages to the members of its allocation. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rpc/transport.h"

namespace millrace {

/// Slot i of the job is on members[slots[i]].
struct SlotAllocation {
  std::vector<JobMember> members;
  std::vector<uint32_t> slots;
  friend bool operator==(const SlotAllocation&, const SlotAllocation&) = default;
};

class SlotPool {
 public:
  virtual ~SlotPool() = default;
  /// Nothing: there are not enough; whoever asked is told when that may have changed.
  virtual std::optional<SlotAllocation> allocate(const std::string& job_id, uint32_t slots) = 0;
  virtual void release(const std::string& job_id) = 0;
  /// Why allocate() answers nothing: "needs 4 slots, 2 of 4 are free".
  [[nodiscard]] virtual std::string shortage(uint32_t slots) const = 0;
  /// Dropped when the task manager is gone; its jobs are told of that by other means.
  virtual void send(const std::string& task_manager, ToTaskManager message) = 0;
};

/// The one task manager of this process, with as many slots as a job wants.
class LocalSlots final : public SlotPool {
 public:
  explicit LocalSlots(TaskManagerLink& link) : link_(link) {}
  std::optional<SlotAllocation> allocate(const std::string& /*job_id*/, uint32_t slots) override {
    return SlotAllocation{{{"local", ""}}, std::vector<uint32_t>(slots, 0)};
  }
  void release(const std::string& /*job_id*/) override {}
  [[nodiscard]] std::string shortage(uint32_t /*slots*/) const override { return {}; }
  void send(const std::string& /*task_manager*/, ToTaskManager message) override { link_.send(std::move(message)); }

 private:
  TaskManagerLink& link_;
};

}  // namespace millrace
