#include "testing/capture.h"

namespace millrace {
namespace {

class CaptureWriter final : public SinkWriter {
 public:
  CaptureWriter(std::shared_ptr<Capture> capture, std::string name, EncoderPtr encoder)
      : capture_(std::move(capture)), name_(std::move(name)), encoder_(std::move(encoder)) {}

  Status open(SinkContext& /*context*/) override { return {}; }

  Result<Flow> write(const Batch& batch, Output& /*dead_letters*/) override {
    std::vector<uint32_t> rows;
    for_each_row(batch, [&](uint32_t row) { rows.push_back(row); });
    std::string bytes;
    std::vector<size_t> ends;
    MR_TRY(encoder_->encode(batch, rows, bytes, ends));
    size_t begin = 0;
    for (const size_t end : ends) {
      capture_->add(name_, bytes.substr(begin, end - begin));
      begin = end;
    }
    return Flow::kNeedInput;
  }

 private:
  std::shared_ptr<Capture> capture_;
  std::string name_;
  EncoderPtr encoder_;
};

}  // namespace

SinkWriterPtr make_capture_writer(std::shared_ptr<Capture> capture, std::string name, EncoderPtr encoder) {
  return std::make_unique<CaptureWriter>(std::move(capture), std::move(name), std::move(encoder));
}

}  // namespace millrace
