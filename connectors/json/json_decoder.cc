#include "connectors/json/json_decoder.h"

#include "connectors/json/json_plan.h"
#include "connectors/json/json_reader.h"
#include "connectors/text/row_map.h"

namespace millrace {
namespace {

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(std::vector<DecodeColumn> columns, std::unique_ptr<JsonObjectPlan> plan,
              std::vector<JsonValuePlan*> roots)
      : columns_(std::move(columns)), plan_(std::move(plan)), roots_(std::move(roots)), reader_(*plan_) {}

  Status decode(const RecordBatch& records, DecodeResult& out) override {
    out = DecodeResult{};
    const auto count = static_cast<uint32_t>(records.records.size());
    std::vector<std::shared_ptr<Column>> columns;
    columns.reserve(roots_.size());
    for (size_t i = 0; i < roots_.size(); ++i) {
      columns.push_back(make_column(*columns_[i].type));
      roots_[i]->attach(*columns[i], count);
    }
    auto arena = std::make_shared<Arena>(kUnescapedChunkBytes);
    RowMap rows(out);
    for (uint32_t i = 0; i < count; ++i) {
      const Record& record = records.records[i];
      if (!record.has_value) {
        rows.skip(i);
      } else if (record.value.size == 0) {
        rows.bad(i, "the value is empty");
      } else if (reader_.read(record.value.view(), rows.next(), *arena)) {
        rows.take(i);
      } else {
        rows.bad(i, reader_.message());
      }
    }
    for (JsonValuePlan* root : roots_) root->finish(out.rows);
    for (auto& column : columns) out.columns.push_back(std::move(column));
    if (arena->bytes() > 0) out.arenas.push_back(std::move(arena));
    return {};
  }

 private:
  static constexpr size_t kUnescapedChunkBytes = 16 * 1024;

  std::vector<DecodeColumn> columns_;
  std::unique_ptr<JsonObjectPlan> plan_;
  std::vector<JsonValuePlan*> roots_;
  JsonReader reader_;
};

}  // namespace

Result<DecoderPtr> make_json_decoder(const std::vector<DecodeColumn>& columns) {
  std::vector<JsonValuePlan*> roots;
  MR_ASSIGN(auto plan, make_json_plan(columns, roots));
  return std::make_unique<JsonDecoder>(columns, std::move(plan), std::move(roots));
}

}  // namespace millrace
