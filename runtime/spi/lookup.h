// A table outside that a look-up join asks by key. The operator collects the keys of its waiting rows and asks in
// batches; the source answers later and notifies the waker. Retries, the cache and the order of rows are the
// operator's business; a source only fetches. Called on the worker of one subtask; nothing here may wait: a source
// whose client waits owns a thread (connectors/lookup). A source whose answer is at hand gives it within ask().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/waker.h"
#include "data/batch.h"
#include "plan/job_graph.h"
#include "plan/registry.h"

namespace millrace {

/// The table as the job file declares it.
struct LookupConfig {
  std::string connector;
  OptionValues options;
  FormatConfig format;             // of connectors with a format
  SchemaPtr schema;                // columns to fetch, those of the key among them
  std::vector<uint32_t> keys;      // columns of `schema` that are asked for
  std::vector<TypePtr> key_types;  // of the asking side: what an encoded key decodes to
};

struct LookupContext {
  std::string step;
  uint32_t subtask = 0;
  Clock* clock = nullptr;
  Waker* waker = nullptr;
};

/// Rows of several keys, or why there are none. A transient error is asked again later, a permanent one fails the job.
struct LookupAnswer {
  uint64_t ticket = 0;
  Status status;
  Batch rows;                        // dense, columns as in LookupConfig::schema; event times are not needed
  std::vector<uint32_t> key_of_row;  // row i belongs to keys[key_of_row[i]] of the question
};

class LookupSource {
 public:
  virtual ~LookupSource() = default;
  virtual Status open(const LookupContext& context) = 0;
  /// Encoded keys (data/key_format.h) without repetition; `delay_ms`: not before so much time has passed.
  virtual void ask(uint64_t ticket, std::vector<std::string> keys, int64_t delay_ms) = 0;
  /// True: take() has something.
  [[nodiscard]] virtual bool answered() const = 0;
  /// Answers in any order of their tickets; false when there is none now.
  virtual bool take(LookupAnswer& answer) = 0;
};
using LookupSourcePtr = std::unique_ptr<LookupSource>;

struct Registry;

/// Both faces of a table that joins can ask.
struct LookupDescriptor {
  std::string help{};
  std::vector<OptionDescriptor> options{};
  bool uses_format = false;
  /// Checks beyond single options; may be empty.
  std::function<void(const LookupConfig&, Position, Diagnostics&)> check{};
  std::function<Result<LookupSourcePtr>(const LookupConfig&, const Registry&)> make{};
};

}  // namespace millrace
