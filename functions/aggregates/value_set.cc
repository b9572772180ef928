#include "functions/aggregates/value_set.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace millrace {

namespace {

constexpr size_t kSmallMax = 16;

struct SetItem {
  uint64_t hash;
  std::string_view bytes;
};

template <class T>
T read_at(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// u32 count · u64 hash[count] · u32 end[count] · bytes.
class Run {
 public:
  explicit Run(BlobRef blob) : view_(blob.empty() ? std::string_view{} : blob.view()) {
    count_ = view_.empty() ? 0 : read_at<uint32_t>(view_.data());
  }
  [[nodiscard]] uint32_t count() const { return count_; }
  [[nodiscard]] uint64_t hash(size_t i) const { return read_at<uint64_t>(view_.data() + 4 + i * 8); }
  [[nodiscard]] std::string_view bytes(size_t i) const {
    const char* ends = view_.data() + 4 + size_t{count_} * 8;
    const uint32_t begin = i == 0 ? 0 : read_at<uint32_t>(ends + (i - 1) * 4);
    return {ends + size_t{count_} * 4 + begin, read_at<uint32_t>(ends + i * 4) - begin};
  }
  void append_to(std::vector<SetItem>& items) const {
    for (uint32_t i = 0; i < count_; ++i) items.push_back({hash(i), bytes(i)});
  }
  [[nodiscard]] bool contains_unsorted(uint64_t wanted, std::string_view value) const {
    for (uint32_t i = 0; i < count_; ++i) {
      if (hash(i) == wanted && bytes(i) == value) return true;
    }
    return false;
  }
  [[nodiscard]] bool contains_sorted(uint64_t wanted, std::string_view value) const {
    size_t low = 0;
    size_t high = count_;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (hash(middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (; low < count_ && hash(low) == wanted; ++low) {
      if (bytes(low) == value) return true;
    }
    return false;
  }

 private:
  std::string_view view_;
  uint32_t count_ = 0;
};

BlobRef write_run(const std::vector<SetItem>& items, BlobPool& blobs) {
  std::string out;
  auto put = [&out]<class T>(T value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(static_cast<uint32_t>(items.size()));
  for (const SetItem& item : items) put(item.hash);
  uint32_t end = 0;
  for (const SetItem& item : items) put(end += static_cast<uint32_t>(item.bytes.size()));
  for (const SetItem& item : items) out.append(item.bytes);
  return blobs.add(out);
}

std::vector<BlobRef> read_levels(BlobRef blob) {
  if (blob.empty()) return {};
  const std::string_view view = blob.view();
  std::vector<BlobRef> levels(view.size() / sizeof(BlobRef));
  std::memcpy(static_cast<void*>(levels.data()), view.data(), levels.size() * sizeof(BlobRef));
  return levels;
}

}  // namespace

bool ValueSet::contains(uint64_t hash, std::string_view bytes) const {
  if (Run(small_).contains_unsorted(hash, bytes)) return true;
  if (levels_.empty()) return false;
  const std::string_view view = levels_.view();
  for (size_t at = 0; at < view.size(); at += sizeof(BlobRef)) {
    const auto run = read_at<BlobRef>(view.data() + at);
    if (!run.empty() && Run(run).contains_sorted(hash, bytes)) return true;
  }
  return false;
}

bool ValueSet::insert(uint64_t hash, std::string_view bytes, BlobPool& blobs) {
  if (contains(hash, bytes)) return false;
  std::vector<SetItem> items;
  Run(small_).append_to(items);
  items.push_back({hash, bytes});
  const BlobRef grown = write_run(items, blobs);
  if (!small_.empty()) blobs.release(small_);
  small_ = grown;
  ++size_;
  if (items.size() >= kSmallMax) spill(blobs);
  return true;
}

void ValueSet::spill(BlobPool& blobs) {
  std::vector<BlobRef> levels = read_levels(levels_);
  std::vector<BlobRef> used = {small_};
  std::vector<SetItem> items;
  Run(small_).append_to(items);
  size_t level = 0;
  for (; level < levels.size() && !levels[level].empty(); ++level) {
    Run(levels[level]).append_to(items);
    used.push_back(levels[level]);
    levels[level] = BlobRef{};
  }
  if (level == levels.size()) levels.emplace_back();
  std::ranges::sort(items, {}, &SetItem::hash);
  levels[level] = write_run(items, blobs);
  for (BlobRef blob : used) blobs.release(blob);
  if (!levels_.empty()) blobs.release(levels_);
  levels_ = blobs.add({reinterpret_cast<const char*>(levels.data()), levels.size() * sizeof(BlobRef)});
  small_ = BlobRef{};
}

void ValueSet::visit(const std::function<void(uint64_t, std::string_view)>& visitor) const {
  auto visit_run = [&visitor](BlobRef blob) {
    const Run run(blob);
    for (uint32_t i = 0; i < run.count(); ++i) visitor(run.hash(i), run.bytes(i));
  };
  visit_run(small_);
  for (BlobRef blob : read_levels(levels_)) visit_run(blob);
}

void ValueSet::release(BlobPool& blobs) {
  if (!small_.empty()) blobs.release(small_);
  for (BlobRef blob : read_levels(levels_)) {
    if (!blob.empty()) blobs.release(blob);
  }
  if (!levels_.empty()) blobs.release(levels_);
  *this = ValueSet{};
}

}  // namespace millrace
