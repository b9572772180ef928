#include "connectors/collect/collect.h"

#include <map>
#include <mutex>

#include "connectors/collect/register.h"
#include "connectors/json/json_encoder.h"
#include "runtime/spi/factories.h"

namespace millrace {
namespace {

struct CollectStore {
  std::mutex mutex;
  std::map<std::string, std::vector<std::string>> lines;
};
CollectStore& collect_store() {
  static CollectStore store;
  return store;
}

class CollectWriter final : public SinkWriter {
 public:
  explicit CollectWriter(EncoderPtr encoder) : encoder_(std::move(encoder)) {}

  Status open(SinkContext& context) override {
    sink_ = context.sink;
    return {};
  }

  Result<Flow> write(const Batch& batch, Output&) override {
    rows_.clear();
    for_each_row(batch, [&](uint32_t row) { rows_.push_back(row); });
    text_.clear();
    ends_.clear();
    MR_TRY(encoder_->encode(batch, rows_, text_, ends_));
    CollectStore& store = collect_store();
    const std::lock_guard lock(store.mutex);
    std::vector<std::string>& lines = store.lines[sink_];
    size_t start = 0;
    for (const size_t end : ends_) {
      lines.push_back(text_.substr(start, end - start));
      start = end;
    }
    return Flow::kNeedInput;
  }

 private:
  EncoderPtr encoder_;
  std::string sink_;
  std::vector<uint32_t> rows_;
  std::string text_;
  std::vector<size_t> ends_;
};

}  // namespace

std::vector<std::string> take_collected(const std::string& sink) {
  CollectStore& store = collect_store();
  const std::lock_guard lock(store.mutex);
  return std::exchange(store.lines[sink], {});
}

void register_collect(Registry& registry) {
  ConnectorDescriptor sink;
  sink.name = "collect";
  sink.help = "keeps rows in memory; for tests";
  sink.uses_format = false;
  sink.deliveries = {Delivery::kAtLeastOnce, Delivery::kNone};
  sink.accepts_updates = true;
  registry.plan.sinks["collect"] = std::move(sink);
  registry.factories.sinks["collect"] = [](const SinkConfig& config, const Registry&) -> Result<SinkWriterPtr> {
    return std::make_unique<CollectWriter>(
        make_json_encoder(config.schema, {}, config.changelog != Changelog::kAppend));
  };
}

}  // namespace millrace
