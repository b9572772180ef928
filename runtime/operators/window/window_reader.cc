#include "runtime/operators/window/window_reader.h"

#include <algorithm>
#include <functional>

#include "core/hash.h"

namespace millrace {

WindowReader::WindowReader(SliceStore& store, const std::vector<SlicePtr>& parts) : store_(store) {
  for (const SlicePtr& part : parts) {
    for (const uint32_t run : part->runs) {
      sources_.emplace_back();
      sources_.back().cursor = store.runs()->rows(part->start, run);
    }
    if (part->table.size() == 0) continue;
    sources_.emplace_back();
    sources_.back().rows = std::make_unique<RowOrder>(part->table, 0, store.runs()->max_parallelism());
  }
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (failure_) failure_ = push(i);
  }
}

Status WindowReader::push(size_t index) {
  const Source& source = sources_[index];
  if (source.cursor) {
    if (!source.cursor->valid()) return source.cursor->status();
    const std::string_view place = store_.runs()->group_and_key(*source.cursor);
    const uint32_t group = static_cast<uint32_t>(static_cast<uint8_t>(place[0])) << 8 | static_cast<uint8_t>(place[1]);
    heads_.push_back({group, place.substr(2), index});
  } else {
    if (!source.rows->valid()) return {};
    heads_.push_back({source.rows->group(), source.rows->key(), index});
  }
  std::ranges::push_heap(heads_, std::greater<>());
  return {};
}

Status WindowReader::add_to(char* into, const Source& source, BlobPool& blobs) {
  if (source.cursor) {
    ByteReader saved(source.cursor->value());
    return store_.merge_saved(saved, into, blobs);
  }
  store_.aggregates().merge(into, source.rows->row(), blobs);
  return {};
}

Result<size_t> WindowReader::read(size_t count, Slice& into) {
  MR_TRY(failure_);
  size_t read = 0;
  char* row = nullptr;
  uint32_t group = 0;
  while (!heads_.empty()) {
    const Head head = heads_.front();
    const bool same = row != nullptr && group == head.group && KeyedTable::key_of(row) == head.key;
    if (!same && read == count) break;
    if (!same) {
      row = into.table.insert(hash64(head.key), head.key, nullptr);
      store_.aggregates().init(row);
      group = head.group;
      ++read;
    }
    Source& source = sources_[head.source];
    MR_TRY(add_to(row, source, into.blobs));
    std::ranges::pop_heap(heads_, std::greater<>());
    heads_.pop_back();
    if (source.cursor) {
      source.cursor->next();
    } else {
      source.rows->next();
    }
    MR_TRY(push(head.source));
  }
  return read;
}

}  // namespace millrace
