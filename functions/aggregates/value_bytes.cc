#include "functions/aggregates/value_bytes.h"

namespace millrace {

ValueBytes::ValueBytes(std::span<const TypePtr> types) : types_(types.begin(), types.end()) {
  for (const TypePtr& type : types_) {
    all_columns_.push_back(static_cast<uint32_t>(schema_.fields.size()));
    schema_.fields.push_back({"", type});
  }
}

const EncodedKeys& ValueBytes::encode(std::span<const ColumnPtr> args, std::span<const uint32_t> rows) {
  Batch batch;
  batch.rows = args.empty() ? 0 : args[0]->size();
  batch.columns.assign(args.begin(), args.end());
  batch.selection = std::make_shared<const std::vector<uint32_t>>(rows.begin(), rows.end());
  encode_keys(batch, schema_, all_columns_, keys_);
  return keys_;
}

bool ValueBytes::decode(std::string_view bytes, std::span<const std::shared_ptr<Column>> out, Arena& arena) const {
  return decode_key(bytes, types_, out, arena);
}

}  // namespace millrace
