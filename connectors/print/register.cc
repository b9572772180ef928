#include "connectors/print/register.h"

#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "connectors/json/json_encoder.h"
#include "connectors/text/lines.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

/// The whole text without lines of other subtasks in between.
Status write_to_stdout(std::string_view text) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      // `| head`: no restart brings the reader back.
      if (errno == EPIPE) return make_error(ErrorCode::kCancelled, "the reader of standard output has gone");
      return errno_error("cannot write", "standard output", errno);
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

class PrintWriter final : public SinkWriter {
 public:
  explicit PrintWriter(EncoderPtr encoder) : encoder_(std::move(encoder)) {}

  Status open(SinkContext&) override { return {}; }

  Result<Flow> write(const Batch& batch, Output&) override {
    text_.clear();
    MR_TRY(append_lines(*encoder_, batch, text_, ends_));
    MR_TRY(write_to_stdout(text_));
    return Flow::kNeedInput;
  }

 private:
  EncoderPtr encoder_;
  std::string text_;
  std::vector<size_t> ends_;
};

}  // namespace

void register_print(Registry& registry) {
  ConnectorDescriptor sink;
  sink.name = "print";
  sink.help = "writes rows to standard output, one JSON object a line";
  sink.uses_format = false;
  sink.deliveries = {Delivery::kAtLeastOnce, Delivery::kNone};
  sink.accepts_updates = true;
  OptionDescriptor timestamps;
  timestamps.name = "timestamps";
  timestamps.kind = OptionKind::kChoice;
  timestamps.choices = {"epoch_millis", "iso8601"};
  timestamps.default_text = "epoch_millis";
  timestamps.help = "how timestamps are written";
  sink.options = {timestamps};
  registry.plan.sinks["print"] = std::move(sink);

  registry.factories.sinks["print"] = [](const SinkConfig& config, const Registry&) -> Result<SinkWriterPtr> {
    JsonOutOptions options;
    options.iso_timestamps = config.options.text("timestamps") == "iso8601";
    return std::make_unique<PrintWriter>(
        make_json_encoder(config.schema, options, config.changelog != Changelog::kAppend));
  };
}

}  // namespace millrace
