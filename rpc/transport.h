// How messages travel between the job manager and a task manager. send() may be called from any thread, does not wait,
// and keeps the order of one sender. The in-process transport hands messages over on the sender's thread (receivers
// queue them); with `through_codec` every message makes the way through its wire form, so that the in-process and the
// networked way of running cannot drift apart: on in test builds.
#pragma once

#include <functional>
#include <memory>

#include "rpc/messages.h"

namespace millrace {

class TaskManagerLink {
 public:
  virtual ~TaskManagerLink() = default;
  virtual void send(ToTaskManager message) = 0;
};

class JobManagerLink {
 public:
  virtual ~JobManagerLink() = default;
  virtual void send(ToJobManager message) = 0;
};

class InProcessTransport {
 public:
  explicit InProcessTransport(bool through_codec = kCheckedByDefault);
  ~InProcessTransport();

  /// Both before the first message.
  void bind_task_manager(std::function<void(ToTaskManager)> receive);
  void bind_job_manager(std::function<void(ToJobManager)> receive);
  TaskManagerLink& to_task_manager();
  JobManagerLink& to_job_manager();

#ifdef MILLRACE_TEST_HOOKS
  static constexpr bool kCheckedByDefault = true;
#else
  static constexpr bool kCheckedByDefault = false;
#endif

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
