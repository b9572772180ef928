// What a test gives to one source: records and watermarks in order. A feed outlives crashes of the job under test, so a
// restored reader finds again what came behind its position. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/spi/factories.h"

namespace millrace {

struct FeedEntry {
  enum class Kind : uint8_t { kRecord, kTombstone, kWatermark, kEnd };
  Kind kind = Kind::kRecord;
  std::string text;  // the record as JSON (or raw, when the test says so)
  int64_t watermark = 0;
};

struct Feed {
  std::vector<FeedEntry> entries;
};

/// Feeds by source id; shared by the runner, which appends, and the readers.
using Feeds = std::map<std::string, std::shared_ptr<Feed>>;

/// A source reader over a feed: one split, owned by subtask 0, one record a poll.
SourceReaderPtr make_feed_reader(std::shared_ptr<const Feed> feed);

}  // namespace millrace
