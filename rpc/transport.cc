#include "rpc/transport.h"

#include "rpc/codec.h"

namespace millrace {

struct InProcessTransport::Impl final : TaskManagerLink, JobManagerLink {
  explicit Impl(bool through) : through_codec(through) {}

  void send(ToTaskManager message) override {
    if (through_codec) {
      auto decoded = decode_to_task_manager(encode_message(message));
      MR_CHECK(decoded.has_value(), decoded.error().message);
      message = std::move(*decoded);
    }
    to_task_manager(std::move(message));
  }
  void send(ToJobManager message) override {
    if (through_codec) {
      auto decoded = decode_to_job_manager(encode_message(message));
      MR_CHECK(decoded.has_value(), decoded.error().message);
      message = std::move(*decoded);
    }
    to_job_manager(std::move(message));
  }

  bool through_codec;
  std::function<void(ToTaskManager)> to_task_manager;
  std::function<void(ToJobManager)> to_job_manager;
};

InProcessTransport::InProcessTransport(bool through_codec) : impl_(std::make_unique<Impl>(through_codec)) {}
InProcessTransport::~InProcessTransport() = default;

void InProcessTransport::bind_task_manager(std::function<void(ToTaskManager)> receive) {
  impl_->to_task_manager = std::move(receive);
}
void InProcessTransport::bind_job_manager(std::function<void(ToJobManager)> receive) {
  impl_->to_job_manager = std::move(receive);
}
TaskManagerLink& InProcessTransport::to_task_manager() { return *impl_; }
JobManagerLink& InProcessTransport::to_job_manager() { return *impl_; }

}  // namespace millrace
