// Rows into a table, at least once (connectors/flusher/flusher_sink.h); the worker checks what the table can take.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "connectors/flusher/flusher_sink.h"
#include "connectors/postgres/row_text.h"

namespace millrace {

/// The table as it was found first: set before the flusher is ready, never changed afterwards.
struct PgCatalogue {
  std::optional<PgTable> table;
};

class PgSinkWriter final : public FlusherSink {
 public:
  explicit PgSinkWriter(SinkConfig config) : FlusherSink(std::move(config), "postgres") {}

 private:
  std::unique_ptr<FlushTarget> make_target() override;
  bool ready(bool connected) override;
  std::optional<std::string> append(const Batch& batch, uint32_t row, std::string& out) override {
    return encoder_->append(batch, row, out);
  }

  std::shared_ptr<PgCatalogue> catalogue_ = std::make_shared<PgCatalogue>();
  std::optional<PgRowEncoder> encoder_;
};

}  // namespace millrace
